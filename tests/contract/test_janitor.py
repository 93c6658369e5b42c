"""The janitor on real servers: what it removes of failed videos, and what it leaves alone."""

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from vqueue import Queue
from vworker.catalog import Catalog, new_document, open_client
from vworker.contract import output_prefix
from vworker.janitor import Janitor
from vworker.leftovers import fence_at
from vworker.storage import Storage

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


@dataclass(kw_only=True)
class Bench:
    """A catalog, a bucket, and a janitor for both."""

    catalog: Catalog
    storage: Storage
    janitor: Janitor
    file: Path

    async def video(self, status: str) -> str:
        """Record a video that ended at noon."""
        video_id = secrets.token_hex(6)
        document = new_document(video_id, "a.mp4")
        await self.catalog.insert(document | {"status": status, "finished_at": NOON, "version": 7})
        return video_id

    async def segment(self, video_id: str, fence: int) -> str:
        key = f"{output_prefix(video_id, str(fence), 'w')}360p/seg_00000.ts"
        await self.storage.upload(self.file, key, "video/mp2t")
        return key

    async def keys(self, video_id: str) -> list[str]:
        return [found.key async for found in self.storage.list(f"videos/{video_id}/")]


@pytest.fixture
async def bench(
    mongodb_uri: str, redis_url: str, queue_name: str, storage: Storage, tmp_path: Path
) -> AsyncIterator[Bench]:
    client = open_client(mongodb_uri, server_selection_timeout=5)
    file = tmp_path / "segment"
    file.write_bytes(b"segment")
    try:
        async with Queue(queue_name, redis_url) as queue:
            catalog = Catalog(client)
            janitor = Janitor(queue, catalog, storage, interval=0.001)
            yield Bench(catalog=catalog, storage=storage, janitor=janitor, file=file)
    finally:
        client.close()


async def test_output_of_a_failed_video_goes_once(bench: Bench) -> None:
    failed, completed = await bench.video("failed"), await bench.video("completed")
    await bench.segment(failed, fence_at(NOON) - 1)
    published = await bench.segment(completed, fence_at(NOON) - 1)
    await bench.janitor.run_once()

    assert await bench.keys(failed) == []
    assert await bench.keys(completed) == [published]
    document = await bench.catalog.get(failed)
    assert document is not None
    assert document["cleared"] is True
    assert failed not in [d["_id"] for d in await bench.catalog.uncleared(limit=9999, after=None)]


async def test_an_attempt_that_began_after_the_failure_is_left_alone(bench: Bench) -> None:
    video_id = await bench.video("failed")
    await bench.segment(video_id, fence_at(NOON) - 1)
    running = await bench.segment(video_id, fence_at(NOON) + 1)
    await bench.janitor.run_once()
    assert await bench.keys(video_id) == [running]


async def test_a_video_that_changed_meanwhile_is_not_marked(bench: Bench) -> None:
    video_id = await bench.video("failed")
    await bench.catalog.mark_cleared(video_id, 6)
    assert video_id in [d["_id"] for d in await bench.catalog.uncleared(limit=9999, after=None)]
