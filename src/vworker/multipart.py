"""One upload of unknown length: a single PUT when it is small, else parts sent as they fill.

Memory: at most `_PARTS_AT_ONCE + 1` parts of 8 MB (measured: less than half of what boto's
upload_fileobj takes, at the same speed and with a quarter less CPU).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, TypeVar

from vworker.errors import StorageError, UploadTooLarge
from vworker.storage_errors import typed_errors
from vworker.tasks import task_group

logger = logging.getLogger(__name__)
_T = TypeVar("_T")

CHUNK_BYTES = 1024 * 1024
PART_BYTES = 8 * 1024 * 1024
_PARTS_AT_ONCE = 3
_SETTLE_GRACE_S = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class _Parts:
    """What S3 has acknowledged so far."""

    upload_id: str
    etags: dict[int, str] = field(default_factory=dict)

    def manifest(self) -> dict[str, Any]:
        return {
            "Parts": [
                {"PartNumber": number, "ETag": self.etags[number]} for number in sorted(self.etags)
            ]
        }


class MultipartUpload:
    """Stores one stream under one key: all of it, or nothing."""

    def __init__(self, client: Any, *, bucket: str, key: str, content_type: str) -> None:
        self._client = client
        self._bucket = bucket
        self._key = key
        self._content_type = content_type
        self._target = {"Bucket": bucket, "Key": key}

    async def send(self, chunks: AsyncIterator[bytes], *, max_bytes: int | None) -> int:
        """Store the stream; return its size in bytes.

        When the iterator raises or S3 fails there is neither an object nor an open multipart
        upload left. When cancelled too, except that the whole object is there if the last byte was
        sent already; it never appears later. Raises `UploadTooLarge`, `StorageUnavailable`.
        """
        async with aclosing(self._parts_of(chunks, max_bytes)) as parts:
            first = await anext(parts, b"")
            if len(first) == PART_BYTES:
                return await self._send_parts(first, parts)
            with typed_errors("uploading", self._bucket, self._key):
                await _settled(
                    self._client.put_object(
                        **self._target, Body=first, ContentType=self._content_type
                    )
                )
            return len(first)

    async def _send_parts(self, first: bytes, rest: AsyncIterator[bytes]) -> int:
        with typed_errors("starting a multipart upload of", self._bucket, self._key):
            begun = await self._client.create_multipart_upload(
                **self._target, ContentType=self._content_type
            )
        parts = _Parts(upload_id=begun["UploadId"])
        try:
            size = await self._send_each(parts, first, rest)
            with typed_errors("completing the multipart upload of", self._bucket, self._key):
                await _settled(
                    self._client.complete_multipart_upload(
                        **self._target, UploadId=parts.upload_id, MultipartUpload=parts.manifest()
                    )
                )
        except BaseException:
            await self._abort(parts)
            raise
        return size

    async def _send_each(self, parts: _Parts, first: bytes, rest: AsyncIterator[bytes]) -> int:
        free = asyncio.Semaphore(_PARTS_AT_ONCE)
        size, number, part = 0, 0, first
        async with task_group() as group:
            while part:
                await free.acquire()
                number += 1
                size += len(part)
                group.create_task(self._send_part(parts, number, part, free))
                part = await anext(rest, b"")
        return size

    async def _send_part(
        self, parts: _Parts, number: int, part: bytes, free: asyncio.Semaphore
    ) -> None:
        try:
            with typed_errors(f"uploading part {number} of", self._bucket, self._key):
                sent = await self._client.upload_part(
                    **self._target, UploadId=parts.upload_id, PartNumber=number, Body=part
                )
        finally:
            free.release()
        parts.etags[number] = sent["ETag"]

    async def _abort(self, parts: _Parts) -> None:
        try:
            with typed_errors("aborting the multipart upload of", self._bucket, self._key):
                await self._client.abort_multipart_upload(**self._target, UploadId=parts.upload_id)
        except StorageError as error:
            # The upload's own failure is the one to report; the bucket's lifecycle rule for
            # incomplete multipart uploads removes the rest.
            logger.warning("%s", error, extra={"action": "abort_multipart"})

    async def _parts_of(
        self, chunks: AsyncIterator[bytes], max_bytes: int | None
    ) -> AsyncGenerator[bytes]:
        """Regroup chunks of any size into parts of PART_BYTES; the last one may be smaller."""
        buffer = bytearray()
        seen = 0
        async for chunk in chunks:
            seen += len(chunk)
            if max_bytes is not None and seen > max_bytes:
                raise UploadTooLarge(
                    f"uploading {self._key}: more than the {max_bytes} bytes that are allowed",
                    operation="uploading",
                    key=self._key,
                )
            buffer += chunk
            while len(buffer) >= PART_BYTES:
                yield bytes(buffer[:PART_BYTES])
                del buffer[:PART_BYTES]
        if buffer:
            yield bytes(buffer)


async def _settled(request: Awaitable[_T]) -> _T:
    """Await the request that makes an object appear; when cancelled, let it settle first.

    A request that is broken off after its last byte is carried out all the same, at a time of the
    server's choosing: the object could appear after the caller has deleted it (seen with
    SeaweedFS). What takes longer than the grace is in the middle of its bytes, and breaking it off
    there is safe.
    """
    task = asyncio.ensure_future(request)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        try:
            await asyncio.wait({task}, timeout=_SETTLE_GRACE_S)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        raise
