"""The re-driver on real servers: a video that Redis has lost is queued again as it was accepted."""

import asyncio
import secrets
from collections.abc import AsyncIterator

import pytest

from tests.support.waiting import until
from vqueue import Queue
from vqueue.mirror import MongoMirror
from vworker.catalog import Catalog, new_document, open_client, project
from vworker.redrive import Redriver


@pytest.fixture
async def catalog(mongodb_uri: str) -> AsyncIterator[Catalog]:
    client = open_client(mongodb_uri, server_selection_timeout=5)
    try:
        yield Catalog(client)
    finally:
        client.close()


@pytest.mark.parametrize("profile", ["small", None])
async def test_a_video_is_queued_again_with_its_profile(
    catalog: Catalog, redis_url: str, queue_name: str, profile: str | None
) -> None:
    video_id = secrets.token_hex(6)
    await catalog.insert(new_document(video_id, "a.mp4", profile))
    mirror = MongoMirror(queue_name, redis_url, catalog.collection, project=project)
    async with Queue(queue_name, redis_url) as queue, asyncio.TaskGroup() as group:
        mirroring = group.create_task(mirror.run())
        await until(mirror.caught_up, what="the mirror to catch up")
        await Redriver(queue, catalog, mirror, settling=-1).run_once()
        job = await queue.get_job(video_id)
        mirroring.cancel()
    assert job is not None
    assert (job.data["source"], job.data.get("profile")) == ("a.mp4", profile)
