import asyncio
import os
import secrets
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.relay import relay_to
from vworker.errors import (
    ObjectNotFound,
    RangeNotSatisfiable,
    StorageUnavailable,
    UploadTooLarge,
)
from vworker.multipart import PART_BYTES
from vworker.storage import Storage, StorageSettings

MIB = 1024 * 1024


@pytest.fixture
def prefix() -> str:
    return f"test/{secrets.token_hex(6)}/"


def file_of(path: Path, size_bytes: int) -> Path:
    path.write_bytes(os.urandom(size_bytes))
    return path


async def keys(storage: Storage, prefix: str) -> list[str]:
    return [found.key async for found in storage.list(prefix)]


async def open_multiparts(storage: Storage, prefix: str) -> list[Any]:
    answer = await storage._client.list_multipart_uploads(Bucket=storage._settings.bucket)
    return [upload for upload in answer.get("Uploads", []) if upload["Key"].startswith(prefix)]


async def repeated(chunk: bytes, times: int) -> AsyncIterator[bytes]:
    for _ in range(times):
        yield chunk


@pytest.mark.parametrize("size", [0, 1, PART_BYTES - 1, PART_BYTES, 3 * PART_BYTES + 1])
async def test_a_file_comes_back_as_it_went(
    storage: Storage, prefix: str, tmp_path: Path, size: int
) -> None:
    source = file_of(tmp_path / "source", size)
    assert await storage.upload(source, prefix + "a", "video/mp2t") == size

    found = await storage.head(prefix + "a")
    assert found.size_bytes == size
    told: list[int] = []
    assert await storage.download(found, tmp_path / "copy", told.append) == size
    assert (tmp_path / "copy").read_bytes() == source.read_bytes()
    assert told == sorted(told)
    assert told[-1:] == ([size] if size else [])
    assert await open_multiparts(storage, prefix) == []


async def test_chunks_of_any_size_become_one_object(storage: Storage, prefix: str) -> None:
    for name, chunk, times in [("tiny", b"x", 1000), ("huge", b"y" * (20 * MIB), 1)]:
        size = await storage.upload_stream(repeated(chunk, times), prefix + name, "video/mp4")
        async with await storage.open(prefix + name) as stream:
            assert b"".join([part async for part in stream]) == chunk * times
        assert (size, stream.content_type) == (len(chunk) * times, "video/mp4")


@pytest.mark.parametrize("sent_mib", [1, 20])
async def test_a_stream_that_breaks_off_leaves_nothing(
    storage: Storage, prefix: str, sent_mib: int
) -> None:
    async def breaks_off() -> AsyncIterator[bytes]:
        for _ in range(sent_mib):
            yield b"x" * MIB
        raise ConnectionResetError("client gone")

    with pytest.raises(ConnectionResetError):
        await storage.upload_stream(breaks_off(), prefix + "a", "video/mp4")
    assert await keys(storage, prefix) == []
    assert await open_multiparts(storage, prefix) == []


@pytest.mark.parametrize("limit_mib", [1, 17])
async def test_a_stream_over_its_limit_is_refused_and_leaves_nothing(
    storage: Storage, prefix: str, limit_mib: int
) -> None:
    with pytest.raises(UploadTooLarge):
        await storage.upload_stream(
            repeated(b"x" * MIB, 30), prefix + "a", "video/mp4", max_bytes=limit_mib * MIB
        )
    assert await keys(storage, prefix) == []
    assert await open_multiparts(storage, prefix) == []


async def test_a_stream_of_exactly_its_limit_is_stored(storage: Storage, prefix: str) -> None:
    stream = repeated(b"x" * MIB, 2)
    assert await storage.upload_stream(stream, prefix + "a", "video/mp4", max_bytes=2 * MIB)


async def test_a_cancelled_upload_leaves_nothing(storage: Storage, prefix: str) -> None:
    hanging = asyncio.Event()

    async def hangs() -> AsyncIterator[bytes]:
        yield b"x" * (2 * PART_BYTES)
        hanging.set()
        await asyncio.Event().wait()

    upload = asyncio.create_task(storage.upload_stream(hangs(), prefix + "a", "video/mp4"))
    await hanging.wait()
    upload.cancel()
    with pytest.raises(asyncio.CancelledError):
        await upload
    assert await keys(storage, prefix) == []
    assert await open_multiparts(storage, prefix) == []


async def test_a_cancelled_upload_waits_for_its_request_on_the_wire(
    storage: Storage, storage_settings: StorageSettings, prefix: str
) -> None:
    """Else the object could appear after the caller has deleted everything under its prefix."""
    async with (
        relay_to(storage_settings.endpoint_url or "") as relay,
        Storage(replace(storage_settings, endpoint_url=relay.url)) as relayed,
    ):
        relay.replies_pass.clear()
        upload = asyncio.create_task(
            relayed.upload_stream(repeated(b"x" * MIB, 1), prefix + "a", "video/mp4")
        )
        await relay.reply_kept.wait()
        upload.cancel()
        for _ in range(50):
            await asyncio.sleep(0)
        assert not upload.done()
        relay.replies_pass.set()
        with pytest.raises(asyncio.CancelledError):
            await upload
    assert await keys(storage, prefix) == [prefix + "a"]


async def test_a_range_of_an_object(storage: Storage, prefix: str) -> None:
    await storage.upload_stream(repeated(b"0123456789", 10), prefix + "a", "video/mp2t")
    async with await storage.open(prefix + "a", "bytes=5-14") as stream:
        assert b"".join([part async for part in stream]) == b"5678901234"
    assert (stream.size_bytes, stream.content_range) == (10, "bytes 5-14/100")
    async with await storage.open(prefix + "a", "bytes=-3") as stream:
        assert b"".join([part async for part in stream]) == b"789"
    with pytest.raises(RangeNotSatisfiable):
        await storage.open(prefix + "a", "bytes=100-")


async def test_a_missing_object_is_named(storage: Storage, prefix: str) -> None:
    for attempt in (storage.head(prefix + "no"), storage.open(prefix + "no")):
        with pytest.raises(ObjectNotFound, match=f"{prefix}no in bucket") as refusal:
            await attempt
        assert refusal.value.key == prefix + "no"


async def test_delete_prefix_takes_all_of_it_and_nothing_beside(
    storage: Storage, prefix: str
) -> None:
    names = [f"{prefix}in/{number:04}" for number in range(1005)]
    gate = asyncio.Semaphore(16)

    async def put(name: str) -> None:
        async with gate:
            await storage.upload_stream(repeated(b"", 0), name, "video/mp2t")

    async with asyncio.TaskGroup() as group:
        for name in [*names, f"{prefix}in", f"{prefix}in2/a"]:
            group.create_task(put(name))

    assert await keys(storage, f"{prefix}in/") == names
    assert await storage.delete_prefix(f"{prefix}in/") == 1005
    assert await storage.delete_prefix(f"{prefix}in/") == 0
    assert await keys(storage, prefix) == [f"{prefix}in", f"{prefix}in2/a"]


async def test_a_download_goes_on_where_its_connection_broke(
    storage: Storage, storage_settings: StorageSettings, prefix: str, tmp_path: Path
) -> None:
    source = file_of(tmp_path / "source", 12 * MIB)
    await storage.upload(source, prefix + "a", "video/mp4")

    broken: list[int] = []
    async with (
        relay_to(storage_settings.endpoint_url or "") as relay,
        Storage(replace(storage_settings, endpoint_url=relay.url)) as shaky,
    ):

        def on_bytes(done: int) -> None:
            if not broken and done >= 3 * MIB:
                broken.append(done)
                relay.break_connections()

        await shaky.download(await shaky.head(prefix + "a"), tmp_path / "copy", on_bytes)
    assert broken
    assert (tmp_path / "copy").read_bytes() == source.read_bytes()


async def test_ready_tells_a_missing_bucket_and_a_silent_server(
    storage: Storage, storage_settings: StorageSettings
) -> None:
    await storage.ready()
    async with Storage(replace(storage_settings, bucket="no-such-bucket")) as elsewhere:
        with pytest.raises(ObjectNotFound, match="there is no such bucket"):
            await elsewhere.ready()

    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        async with Storage(replace(storage_settings, endpoint_url=url)) as mute:
            with pytest.raises(StorageUnavailable, match="did not answer"):
                await mute.ready(timeout_s=0.1)


async def test_a_refused_connection_and_wrong_credentials_are_unavailable(
    storage_settings: StorageSettings, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = replace(storage_settings, endpoint_url="http://127.0.0.1:1", tries=1)
    async with Storage(closed) as storage:
        with pytest.raises(StorageUnavailable, match="no complete answer"):
            await storage.head(prefix + "a")

    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    async with Storage(storage_settings) as storage:
        with pytest.raises(StorageUnavailable, match="access denied"):
            await storage.open(prefix + "a")
