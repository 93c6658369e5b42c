"""MongoMirror: one document per job, equal to the queue, whose version only grows."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Sequence

import pytest

from tests.contract.vqueue.mirrored import Document, Mirrored, mirrored
from tests.support.driver import settle
from tests.support.waiting import until
from tests.support.workers import ended
from vqueue import Job, JobOptions, NewJob, Worker
from vqueue.documents import JobDocument
from vqueue.mirror import MongoMirror


@pytest.fixture
async def pair(redis_url: str, queue_name: str, mongodb_uri: str) -> AsyncIterator[Mirrored]:
    """A queue and an empty collection; no mirror runs."""
    async with mirrored(redis_url, queue_name, mongodb_uri) as pair:
        yield pair


async def every_state(pair: Mirrored) -> None:
    """Put one job, named after it, in each state."""
    driver = pair.driver
    await driver.add("completed", "failed")
    first, second = (await driver.take(2)).jobs
    await driver.finish(
        settle(first, value=b'{"key":"out"}', progress=b"100"),
        settle(second, "failed", value=b'"broken"'),
    )
    await driver.add("active")
    await driver.take_one()
    await driver.add("waiting")
    await driver.add("delayed", delay_ms=60_000)
    await driver.add("prioritized", place="3")


STATUSES = {
    "completed": "completed",
    "failed": "failed",
    "active": "processing",
    "waiting": "queued",
    "delayed": "queued",
    "prioritized": "queued",
}


async def statuses(pair: Mirrored) -> dict[str, str]:
    """Job id → status of every document."""
    return {job_id: document["status"] for job_id, document in (await pair.documents()).items()}


async def test_every_state_has_its_document(pair: Mirrored) -> None:
    pair.start()
    await every_state(pair)
    await pair.assert_equal()
    documents = await pair.documents()
    assert await statuses(pair) == STATUSES
    assert documents["completed"]["returnvalue"] == {"key": "out"}
    assert documents["completed"]["progress"] == 100
    assert documents["failed"]["failed_reason"] == "broken"
    assert documents["completed"]["created_at"] <= documents["completed"]["finished_at"]


async def test_jobs_from_before_the_first_mirror_are_written_too(pair: Mirrored) -> None:
    await every_state(pair)
    pair.start()
    await pair.assert_equal()
    assert await statuses(pair) == STATUSES


async def test_documents_follow_a_running_queue_and_versions_only_grow(pair: Mirrored) -> None:
    async def handler(job: Job) -> int:
        await job.update_progress(job.attempts_started)
        if job.data % 5 == 0 and job.attempts_made == 0:
            raise ValueError("first try")
        return int(job.data)

    changes: list[tuple[str, int]] = []

    async def watch(ready: asyncio.Event) -> None:
        async with pair.collection.watch(full_document="updateLookup") as stream:
            ready.set()
            async for change in stream:
                updated = change.get("updateDescription", {}).get("updatedFields", {})
                document = updated or change["fullDocument"]
                changes.append((change["documentKey"]["_id"], document["version"]))
                if change["documentKey"]["_id"] == "last":
                    return

    async with asyncio.TaskGroup() as group:
        watching = asyncio.Event()
        group.create_task(watch(watching))
        await watching.wait()
        for _ in range(2):
            pair.start()  # they share one group
        async with Worker(pair.queue_name, handler, pair.redis_url, concurrency=8):
            jobs = await pair.queue.add_bulk(
                NewJob(name="task", data=number, options=JobOptions(attempts=2))
                for number in range(300)
            )
            await ended(pair.queue, *(job.id for job in jobs))
        await pair.assert_equal()
        await pair.collection.insert_one({"_id": "last", "version": 1})

    seen: dict[str, int] = {}
    for job_id, version in changes:
        assert version > seen.get(job_id, -1), f"document {job_id} went back"
        seen[job_id] = version
    assert len(seen) == 301
    groups = await pair.driver.redis("XINFO", "GROUPS", pair.driver.keys.ev)
    assert [group[1] for group in groups] == [b"mirror"]


class RecordingMirror(MongoMirror):
    """Knows whose documents it wrote."""

    def __init__(self, pair: Mirrored) -> None:
        super().__init__(pair.queue_name, pair.redis_url, pair.collection)
        self.written: list[str] = []

    async def _write(self, documents: Sequence[JobDocument]) -> None:
        self.written += (document.job_id for document in documents)
        await super()._write(documents)


async def test_a_backlog_of_events_writes_each_job_once(pair: Mirrored) -> None:
    running = pair.start()
    await pair.driver.add("known")
    await pair.caught_up()
    await pair.end(running)
    # added, waiting, active, completed: four events each, more than one batch together
    names = [f"job-{number}" for number in range(1000)]
    for start in range(0, 1000, 250):
        await pair.driver.add(*names[start : start + 250])
    for _ in range(4):
        await pair.driver.finish(*map(settle, (await pair.driver.take(250)).jobs))
    recording = RecordingMirror(pair)
    pair.start(recording)
    await pair.assert_equal()
    # its own taking is all that happened to this one
    assert sorted(recording.written) == sorted(["known", *names])


class MeetingMirror(MongoMirror):
    """Writes a part of a batch only together with another part."""

    def __init__(self, pair: Mirrored) -> None:
        super().__init__(pair.queue_name, pair.redis_url, pair.collection)
        self._meeting = asyncio.Barrier(2)

    async def _write(self, documents: Sequence[JobDocument]) -> None:
        await self._meeting.wait()
        await super()._write(documents)


async def test_the_parts_of_a_batch_are_written_side_by_side(pair: Mirrored) -> None:
    running = pair.start()
    await pair.caught_up()
    await pair.end(running)
    for start in (0, 250):
        await pair.driver.add(*(f"job-{number}" for number in range(start, start + 250)))
    pair.start(MeetingMirror(pair))
    await pair.assert_equal()
    assert len(await pair.documents()) == 500


async def xread_calls(pair: Mirrored) -> int:
    """How often the server has carried out XREAD."""
    stats = await pair.driver.redis("INFO", "commandstats")
    found = re.search(rb"cmdstat_xread:calls=(\d+)", stats)
    return int(found[1]) if found else 0


async def test_a_new_mirror_does_not_wake_for_old_events(pair: Mirrored) -> None:
    running = pair.start()
    for number in range(50):
        await pair.driver.add(f"job-{number}")
    await pair.caught_up()
    await pair.end(running)
    before = await xread_calls(pair)
    pair.start()

    async def sleeps() -> bool:
        clients = (await pair.driver.redis("CLIENT", "LIST")).decode().splitlines()
        return any(" cmd=xread " in client and " flags=b " in client for client in clients)

    await until(sleeps, what="the mirror to block")
    # one that begins to block is counted or not, depending on the server
    assert await xread_calls(pair) - before <= 1


async def test_a_document_with_a_newer_version_is_not_overwritten(pair: Mirrored) -> None:
    newer: Document = {"_id": "ahead", "status": "theirs", "version": 2**62}
    await pair.collection.insert_one(newer)
    await pair.driver.add("ahead", "plain")
    pair.start()
    await pair.caught_up()
    assert await pair.collection.find_one({"_id": "ahead"}) == newer
    assert await pair.status("plain") == "queued"


async def test_a_document_made_by_a_producer_is_filled_in(pair: Mirrored) -> None:
    await pair.collection.insert_one({"_id": "video", "source": "uploads/1", "version": 0})
    pair.start()
    await pair.driver.add("video")
    await pair.caught_up()
    document = await pair.collection.find_one({"_id": "video"})
    assert document is not None
    assert (document["source"], document["status"]) == ("uploads/1", "queued")


async def test_a_value_that_bson_cannot_hold_does_not_block_its_neighbours(
    pair: Mirrored, caplog: pytest.LogCaptureFixture
) -> None:
    await pair.driver.add("before")
    await pair.driver.add("huge", data=json.dumps(2**64 - 1).encode())
    await pair.driver.add("after")
    pair.start()
    await pair.caught_up()
    assert await statuses(pair) == {"before": "queued", "after": "queued"}
    assert "document refused" in caplog.text


async def test_a_job_that_is_not_json_does_not_block_its_neighbours(
    pair: Mirrored, caplog: pytest.LogCaptureFixture
) -> None:
    await pair.driver.add("before")
    await pair.driver.add("torn", data=b'{"half":')
    await pair.driver.add("after")
    pair.start()
    await pair.caught_up()
    assert await statuses(pair) == {"before": "queued", "after": "queued"}
    assert "job torn" in caplog.text
    jobs = {job.id: job for job in (await pair.driver.take(3)).jobs}
    await pair.driver.finish(settle(jobs[b"torn"], "failed", value=b'"no JSON"'))
    await pair.caught_up()
    assert (await statuses(pair))["torn"] == "failed"


async def test_a_removed_job_is_written_from_its_final_event(pair: Mirrored) -> None:
    await pair.driver.add("completed", "failed", "known")
    running = pair.start()
    await pair.caught_up()
    await pair.end(running)
    await pair.collection.delete_many({"_id": {"$ne": "known"}})
    first, second, third = (await pair.driver.take(3)).jobs
    await pair.driver.finish(
        settle(first, rule="0 -1"),
        settle(second, "failed", value=b'"broken"', rule="0 -1"),
        settle(third, rule="0 -1"),
    )
    pair.start()
    await pair.caught_up()
    documents = await pair.documents()
    assert await statuses(pair) == {
        "completed": "completed",
        "failed": "failed",
        "known": "completed",
    }
    assert documents["completed"]["returnvalue"] == "done"
    assert documents["failed"]["failed_reason"] == "broken"
    # what was added stays as it was mirrored before
    assert documents["known"]["name"] == "task"


async def test_the_document_of_a_job_removed_by_hand_stays_with_its_time(pair: Mirrored) -> None:
    await pair.driver.add("waiting", "ended", "never-mirrored")
    running = pair.start()
    await pair.caught_up()
    await pair.end(running)
    before = await pair.documents()
    await pair.collection.delete_one({"_id": "never-mirrored"})
    await pair.queue.remove("waiting")
    (ended_job, never) = (await pair.driver.take(2)).jobs
    await pair.driver.finish(settle(ended_job))
    await pair.driver.scripts.release(consumer="w1", jobs=[("never-mirrored", never.token)])
    await pair.queue.remove("ended")
    await pair.queue.remove("never-mirrored")
    pair.start()
    await pair.caught_up()

    documents = await pair.documents()
    waiting = documents["waiting"]
    assert waiting["version"] > before["waiting"]["version"]
    own = ("version", "removed_at")
    assert {name: value for name, value in waiting.items() if name not in own} == {
        name: value for name, value in before["waiting"].items() if name not in own
    }
    assert waiting["removed_at"] >= waiting["created_at"]
    assert documents["ended"]["status"] == "completed"
    assert "removed_at" in documents["ended"]
    assert "never-mirrored" not in documents

    await pair.driver.add("waiting")
    await pair.caught_up()
    assert "removed_at" not in (await pair.documents())["waiting"]


async def test_a_trimmed_stream_is_made_up_for_by_reading_all_jobs(pair: Mirrored) -> None:
    running = pair.start()
    await pair.driver.add("first")
    await pair.driver.finish(settle(await pair.driver.take_one()))
    await pair.caught_up()
    await pair.end(running)
    await every_state(pair)
    await pair.driver.redis("XTRIM", pair.driver.keys.ev, "MAXLEN", 1)
    pair.start()
    await pair.assert_equal()
    assert await statuses(pair) == {"first": "completed", **STATUSES}


async def test_a_destroyed_group_is_made_up_for_by_reading_all_jobs(pair: Mirrored) -> None:
    running = pair.start()
    await pair.driver.add("first")
    await pair.caught_up()
    await pair.end(running)
    await pair.driver.redis("XGROUP", "DESTROY", pair.driver.keys.ev, "mirror")
    await pair.driver.add("second")
    pair.start()
    await pair.assert_equal()
    assert await statuses(pair) == {"first": "queued", "second": "queued"}


async def test_a_group_destroyed_under_a_running_mirror_is_made_again(pair: Mirrored) -> None:
    pair.start()
    await pair.driver.add("first")
    await pair.caught_up()
    await pair.driver.redis("XGROUP", "DESTROY", pair.driver.keys.ev, "mirror")
    await pair.driver.add("second")
    await pair.assert_equal()
    assert await pair.status("second") == "queued"


async def test_a_wiped_redis_is_followed_and_its_documents_stay(pair: Mirrored) -> None:
    pair.start()
    await pair.driver.add("forgotten")
    await pair.caught_up()
    await pair.driver.wipe()
    await pair.driver.add("new")

    async def written() -> bool:
        return await pair.status("new") == "queued"

    await until(written, what="the new job's document")
    await pair.assert_equal()
    assert await pair.status("forgotten") == "queued"


async def test_a_thousand_jobs_are_read_again_in_pages(pair: Mirrored) -> None:
    for start in range(0, 1000, 250):
        await pair.driver.add(*(f"job-{number}" for number in range(start, start + 250)))
    await pair.driver.finish(*map(settle, (await pair.driver.take(250)).jobs))
    await pair.driver.take(100)
    await pair.driver.redis("XTRIM", pair.driver.keys.ev, "MAXLEN", 1)
    pair.start()
    await pair.assert_equal()
    assert len(await pair.documents()) == 1000
