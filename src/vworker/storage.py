"""S3 as the rest of the system sees it: streams in both directions with bounded memory.

Owns one aioboto3 client and resumed downloads; uploads are in `vworker.multipart`, the translation
of errors in `vworker.storage_errors`. Knows nothing of videos. Credentials come from the standard
AWS_* chain. A download holds one chunk of 1 MB, an upload a few parts of 8 MB.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from io import BufferedReader, BufferedWriter
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import aioboto3
from aiobotocore.config import AioConfig
from aiofiles.threadpool import wrap

from vworker.errors import StorageUnavailable
from vworker.multipart import CHUNK_BYTES, MultipartUpload
from vworker.object_store import ObjectInfo
from vworker.storage_errors import typed_errors

logger = logging.getLogger(__name__)

_DOWNLOAD_TRIES = 4
_DELETE_BATCH = 1000  # the limit of DeleteObjects


@dataclass(frozen=True, kw_only=True, slots=True)
class StorageSettings:
    """Where the objects are."""

    #: None means AWS itself.
    endpoint_url: str | None
    bucket: str
    region: str
    #: "when_required" is for servers that do not know the newer CRC trailers.
    checksums: Literal["when_supported", "when_required"] = "when_supported"
    #: Tries per request, with exponential backoff and full jitter between them.
    tries: int = 4


class ObjectStream:
    """The open body of one object; `async for` gives chunks of at most 1 MB.

    Use it as an async context manager, or call `aclose`: an unread body occupies a connection.
    """

    def __init__(self, response: dict[str, Any], *, bucket: str, key: str) -> None:
        self._body = response["Body"]
        self._bucket = bucket
        self._key = key
        #: Bytes that this stream delivers (of the range, when one was asked for).
        self.size_bytes: int = response["ContentLength"]
        self.content_type: str = response.get("ContentType", "binary/octet-stream")
        self.etag: str = response["ETag"]
        #: "bytes 0-99/1000" when the answer is a part of the object, else None.
        self.content_range: str | None = response.get("ContentRange")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            with typed_errors("reading", self._bucket, self._key):
                chunk: bytes = await self._body.read(CHUNK_BYTES)
            if not chunk:
                return
            yield chunk

    async def aclose(self) -> None:
        """Give the connection up; safe to repeat."""
        self._body.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()


class Storage:
    """One bucket. An async context manager; every method may be called concurrently.

    Every method raises `StorageUnavailable` when S3 does not answer after bounded retries.
    """

    def __init__(self, settings: StorageSettings) -> None:
        self._settings = settings
        self._bucket = settings.bucket
        self._resources = AsyncExitStack()
        self._client: Any = None

    async def __aenter__(self) -> Self:
        settings = self._settings
        client = aioboto3.Session().client(
            "s3",
            endpoint_url=settings.endpoint_url,
            region_name=settings.region,
            config=AioConfig(
                connect_timeout=5,
                read_timeout=30,
                retries={"mode": "standard", "total_max_attempts": settings.tries},
                max_pool_connections=64,
                request_checksum_calculation=settings.checksums,
                response_checksum_validation=settings.checksums,
                # A bucket as a host name needs DNS that self-hosted servers seldom have.
                s3={"addressing_style": "path" if settings.endpoint_url else "auto"},
            ),
        )
        self._client = await self._resources.enter_async_context(client)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._resources.aclose()

    @property
    def location(self) -> str:
        """Endpoint and bucket, for messages."""
        return f"{self._settings.endpoint_url or 'AWS'}, bucket {self._bucket}"

    async def ready(self, *, timeout_s: float = 2.0) -> None:
        """Return when the bucket answers; raise `StorageUnavailable` or `ObjectNotFound` if not."""
        try:
            async with asyncio.timeout(timeout_s):
                with typed_errors("reaching", self._bucket, ""):
                    await self._client.head_bucket(Bucket=self._bucket)
        except TimeoutError:
            raise StorageUnavailable(
                f"{self.location} did not answer within {timeout_s:g} s",
                operation="reaching",
                key="",
            ) from None

    async def head(self, key: str) -> ObjectInfo:
        """Return size and ETag. Raises `ObjectNotFound`."""
        with typed_errors("looking up", self._bucket, key):
            found = await self._client.head_object(Bucket=self._bucket, Key=key)
        return ObjectInfo(key=key, size_bytes=found["ContentLength"], etag=found["ETag"])

    async def open(self, key: str, byte_range: str | None = None) -> ObjectStream:
        """Open an object for reading; `byte_range` is a Range header such as "bytes=0-1023".

        Raises `ObjectNotFound`, `RangeNotSatisfiable`.
        """
        wanted = {} if byte_range is None else {"Range": byte_range}
        return await self._get(key, wanted)

    async def _get(self, key: str, conditions: dict[str, str]) -> ObjectStream:
        with typed_errors("opening", self._bucket, key):
            response = await self._client.get_object(Bucket=self._bucket, Key=key, **conditions)
        return ObjectStream(response, bucket=self._bucket, key=key)

    async def download(
        self, found: ObjectInfo, path: Path, on_bytes: Callable[[int], None] | None = None
    ) -> int:
        """Stream an object that `head` has found into a new file; return its size in bytes.

        Safe to repeat. A connection that breaks off is taken up again at the byte where it broke,
        as long as the object is still the same one. `on_bytes` is told how many are there.
        Raises `ObjectNotFound`, and OSError from the disk.
        """
        done, tries_left = 0, _DOWNLOAD_TRIES
        with _new_file(path) as raw:
            file = wrap(raw)
            while done < found.size_bytes:
                rest = {"Range": f"bytes={done}-", "IfMatch": found.etag}
                try:
                    async with await self._get(found.key, rest) as stream:
                        async for chunk in stream:
                            await file.write(chunk)
                            done += len(chunk)
                            if on_bytes is not None:
                                on_bytes(done)
                except StorageUnavailable as error:
                    tries_left -= 1
                    if tries_left == 0:
                        raise
                    logger.warning(
                        "download of %s broke off at byte %d, going on from there: %s",
                        found.key,
                        done,
                        error,
                        extra={"action": "resume_download"},
                    )
                    await asyncio.sleep(random.uniform(0, 1))  # noqa: S311 - jitter, no secret
        return done

    async def upload(self, path: Path, key: str, content_type: str) -> int:
        """Store a file; return its size in bytes. Safe to repeat."""
        async with aclosing(_chunks_of(path)) as chunks:
            return await self.upload_stream(chunks, key, content_type)

    async def upload_stream(
        self,
        chunks: AsyncIterator[bytes],
        key: str,
        content_type: str,
        *,
        max_bytes: int | None = None,
    ) -> int:
        """Store what `chunks` delivers; return its size in bytes.

        All or nothing: when the iterator raises, S3 fails or the call is cancelled before the last
        byte, there is neither an object nor an open multipart upload left. Raises `UploadTooLarge`
        as soon as there are more than `max_bytes`.
        """
        return await MultipartUpload(
            self._client, bucket=self._bucket, key=key, content_type=content_type
        ).send(chunks, max_bytes=max_bytes)

    async def list(self, prefix: str) -> AsyncIterator[ObjectInfo]:
        """Yield every object under a prefix, in key order."""
        page: dict[str, Any] = {"IsTruncated": True}
        position: dict[str, str] = {}
        while page["IsTruncated"]:
            with typed_errors("listing", self._bucket, prefix):
                page = await self._client.list_objects_v2(
                    Bucket=self._bucket, Prefix=prefix, **position
                )
            for entry in page.get("Contents", ()):
                yield ObjectInfo(key=entry["Key"], size_bytes=entry["Size"], etag=entry["ETag"])
            position = {"ContinuationToken": page.get("NextContinuationToken", "")}

    async def copy(self, key: str, target: str) -> None:
        """Store an object under another key too, inside of S3. Safe to repeat.

        Up to 5 GB, S3's own limit. Raises `ObjectNotFound`.
        """
        with typed_errors("copying", self._bucket, key):
            await self._client.copy_object(
                Bucket=self._bucket, Key=target, CopySource={"Bucket": self._bucket, "Key": key}
            )

    async def delete(self, key: str) -> None:
        """Delete one object; safe to repeat, also when there is none."""
        with typed_errors("deleting", self._bucket, key):
            await self._client.delete_object(Bucket=self._bucket, Key=key)

    async def delete_prefix(self, prefix: str) -> int:
        """Delete every object under a prefix; return how many there were. Safe to repeat."""
        keys = [found.key async for found in self.list(prefix)]
        for start in range(0, len(keys), _DELETE_BATCH):
            batch = [{"Key": key} for key in keys[start : start + _DELETE_BATCH]]
            with typed_errors("deleting", self._bucket, prefix):
                answer = await self._client.delete_objects(
                    Bucket=self._bucket, Delete={"Objects": batch, "Quiet": True}
                )
            if failed := answer.get("Errors"):
                raise StorageUnavailable(
                    f"deleting {prefix} in bucket {self._bucket}: {len(failed)} objects were "
                    f"refused, the first with {failed[0].get('Code')}",
                    operation="deleting",
                    key=prefix,
                )
        return len(keys)


async def _chunks_of(path: Path) -> AsyncGenerator[bytes]:
    with _existing_file(path) as raw:
        file = wrap(raw)
        while chunk := await file.read(CHUNK_BYTES):
            yield chunk


# Opened here and read and written in aiofiles' threads: a call that is cancelled while aiofiles
# itself opens a file loses the descriptor.
def _existing_file(path: Path) -> BufferedReader:
    return path.open("rb")


def _new_file(path: Path) -> BufferedWriter:
    return path.open("wb")
