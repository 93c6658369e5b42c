"""Behaviours 32 to 35 and 57: how jobs end, what is kept."""

import asyncio

import pytest

from tests.support.driver import Driver, settle
from tests.support.lossy import lossy_redis
from tests.support.waiting import until
from tests.support.workers import HeldHandler, ended
from vqueue import Job, NewJob, Queue, Retention, Worker
from vqueue.script_calls import load_script


async def _nothing(_: Job) -> None:
    return None


async def test_the_end_of_a_job_brings_the_next_one_in_the_same_trip(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    takes: list[int] = []
    count = 30
    async with lossy_redis(redis_url) as relay:

        async def handler(_: Job) -> None:
            takes.append(relay.received.count(load_script("take").sha.encode()))

        added = await queue.add_bulk(NewJob(name="task") for _ in range(count))
        async with Worker(queue_name, handler, relay.url, lock_duration=600):
            await ended(queue, *(job.id for job in added))
    # whatever it took to start the first one, no other was asked for
    assert takes == [takes[0]] * count


async def test_a_worker_that_closes_ends_its_job_and_takes_no_other(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    handler = HeldHandler()
    await queue.add("task", job_id="running")
    async with Worker(queue_name, handler, redis_url) as worker:
        await handler.running(1)
        closing = asyncio.create_task(worker.close())
        await queue.add("task", job_id="next")
        assert not closing.done()
        handler.let_go.set()
        await closing
    assert await driver.state("running") == "completed"
    assert await driver.history("next") == ["added", "waiting"]


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


async def test_the_end_of_a_job_takes_those_along_that_are_older_than_the_age(
    queue: Queue, driver: Driver
) -> None:
    await driver.add("old", "young")
    old, young = (await driver.take(2)).jobs
    rule = Retention(age=0.05).to_wire()
    await driver.finish(settle(old, rule=rule))
    assert await driver.state("old") == "completed"
    over_ms = await driver.now_ms() + 50

    async def is_old() -> bool:
        return await driver.now_ms() > over_ms

    await until(is_old, what="the age")
    await driver.finish(settle(young, rule=rule))
    assert [await driver.state(job_id) for job_id in ("old", "young")] == [None, "completed"]
    assert (await queue.get_job_counts())["completed"] == 1


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


#: ARGV: prefix of the queue's keys. Returns how many there are in all, tombstones among them,
#: and jobs in line or active: one moment's figures.
_COUNT_KEYS = """
local names, tombstones = redis.call('KEYS', ARGV[1] .. '*'), 0
for _, name in ipairs(names) do
  if string.find(name, ARGV[1] .. 'gone:', 1, true) then tombstones = tombstones + 1 end
end
return {#names, tombstones, redis.call('XLEN', ARGV[1] .. 'ready')}
"""

#: Keys of a queue that are there whatever its jobs: settings, streams, sets, counts, workers.
_KEYS_OF_THE_QUEUE = 25


async def test_ten_thousand_jobs_never_leave_more_keys_than_the_count_allows(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    """Every key of the queue counts, but for the tombstones: by design, one for each job that
    was removed keeps a repeated add out for ten minutes."""
    count, kept = 10_000, 10
    beside: list[int] = []
    completed: list[int] = []

    async def all_done() -> bool:
        keys, tombstones, not_done = await driver.redis("EVAL", _COUNT_KEYS, 0, driver.keys.prefix)
        beside.append(keys - tombstones - not_done)
        completed.append(int(await driver.redis("ZCARD", driver.keys.completed)))
        assert tombstones <= count - not_done
        return not_done == 0

    await queue.add_bulk(NewJob(name="task") for _ in range(count))
    async with Worker(queue_name, _nothing, redis_url, concurrency=100, remove_on_complete=kept):
        await until(all_done, what="ten thousand jobs", deadline=60)
    assert max(completed) == kept
    assert max(beside) <= kept + _KEYS_OF_THE_QUEUE
    lives = await driver.redis(
        "EVAL",
        "local t = {} for _, k in ipairs(redis.call('KEYS', ARGV[1])) do "
        "table.insert(t, redis.call('PTTL', k)) end return t",
        *(0, driver.keys.prefix + "gone:*"),
    )
    assert len(lives) == count - kept
    assert 0 < min(lives) <= max(lives) <= 600_000
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
