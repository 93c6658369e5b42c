"""Behaviours 32 to 35 and 57: how jobs end, what is kept."""

import asyncio

import pytest

from tests.support.driver import Driver, settle
from tests.support.waiting import until
from tests.support.workers import ended
from vqueue import Job, NewJob, Queue, Retention, Worker


async def _nothing(_: Job) -> None:
    return None


async def test_ending_a_job_gives_the_next_one_in_the_same_trip(
    queue: Queue, driver: Driver
) -> None:
    await driver.add("first", "second")
    first = await driver.take_one()
    reply = await driver.finish(settle(first), want=1)
    assert [job.id for job in reply.taken.jobs] == [b"second"]


@pytest.mark.parametrize("hindrance", ["paused", "limited", "at the global concurrency"])
async def test_ending_a_job_gives_none_while_the_queue_is_held_back(
    queue: Queue, driver: Driver, hindrance: str
) -> None:
    await driver.add("first", "second", "third")
    first = await driver.take_one()
    if hindrance == "paused":
        await queue.pause()
    elif hindrance == "limited":
        await queue.rate_limit(60)
    else:
        await driver.take_one()
        await queue.set_global_concurrency(1)
    reply = await driver.finish(settle(first), want=1)
    assert (reply.statuses, reply.taken.jobs) == ([1], [])


@pytest.mark.parametrize(
    ("option", "kept"), [(True, 0), (False, 6), (2, 2), (Retention(count=3, age=60), 3)]
)
async def test_retention_keeps_what_the_option_says_and_no_key_beside(
    queue: Queue, redis_url: str, queue_name: str, option: bool | int | Retention, kept: int
) -> None:
    done = 0

    async def handler(job: Job) -> None:
        nonlocal done
        await job.log("a line")
        done += 1

    await queue.add_bulk(NewJob(name="task") for _ in range(6))
    async with Worker(queue_name, handler, redis_url, remove_on_complete=option) as worker:
        await until(lambda: done == 6 and not worker.running, what="six jobs")
    # the invariants find log lines and reports that belong to no job
    assert (await queue.get_job_counts())["completed"] == kept


async def test_a_jobs_own_retention_comes_before_the_workers(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    kept = await queue.add("task", remove_on_complete=False)
    removed = await queue.add("task")
    async with Worker(queue_name, _nothing, redis_url, remove_on_complete=True):
        await ended(queue, kept.id)

        async def is_gone() -> bool:
            return await queue.get_job(removed.id) is None

        await until(is_gone, what="the removal")
    job = await queue.get_job(kept.id)
    assert job is not None
    assert job.state == "completed"


async def test_ten_thousand_jobs_never_leave_more_keys_than_the_count_allows(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    samples: list[int] = []
    count = 10_000

    async def completed() -> int:
        keep = int(await driver.redis("ZCARD", driver.keys.completed))
        waiting = int(await driver.redis("XLEN", driver.keys.ready))
        samples.append(keep)
        return waiting

    await queue.add_bulk(NewJob(name="task") for _ in range(count))
    worker = Worker(queue_name, _nothing, redis_url, concurrency=100, remove_on_complete=10)
    async with worker:

        async def all_done() -> bool:
            return await completed() == 0

        await until(all_done, what="ten thousand jobs", deadline=60)
    assert max(samples) <= 10

    # one string each
    async def records() -> int:
        cursor, found = b"0", 0
        while True:
            cursor, page = await driver.redis(
                "SCAN", cursor, "MATCH", driver.keys.prefix + "j:*", "COUNT", 5000
            )
            found += len(page)
            if cursor == b"0":
                return found

    assert await records() == 10
    # tombstones of ten minutes keep repeated adds out; they are not jobs
    await driver.wipe()


async def test_a_result_that_is_not_json_fails_the_job_and_the_worker_goes_on(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    async def handler(job: Job) -> object:
        return object() if job.data == "bad" else "good"

    bad, good = await queue.add("task", "bad"), await queue.add("task", "good")
    async with Worker(queue_name, handler, redis_url):
        first, second = await ended(queue, bad.id, good.id)
    assert first.state == "failed"
    assert "object" in (first.failed_reason or "")
    assert second.returnvalue == "good"


async def test_close_with_a_deadline_hands_jobs_back_and_another_worker_starts_them_at_once(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    started = asyncio.Event()

    async def endless(_: Job) -> None:
        started.set()
        await asyncio.Event().wait()

    added = await queue.add("task")
    # a lease that outlasts the test: nobody waits for it
    first = Worker(queue_name, endless, redis_url, lock_duration=600)
    async with first, Worker(queue_name, _nothing, redis_url, lock_duration=600) as second:
        await second.pause()
        await started.wait()
        second.resume()
        await first.close(timeout=0.05)
        (job,) = await ended(queue, added.id)
    assert (job.state, job.attempts_made, job.attempts_started, job.stalled_count) == (
        "completed",
        1,
        1,
        0,
    )
