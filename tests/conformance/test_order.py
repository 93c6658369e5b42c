"""Behaviours 7 to 12: in which order jobs start."""

import asyncio

from tests.support.driver import Driver, ids, settle
from tests.support.waiting import until
from vqueue import Job, NewJob, Queue, RateLimitError, Worker


async def test_a_thousand_jobs_start_in_the_order_in_which_they_were_added(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    started: list[int] = []
    all_started = asyncio.Event()

    async def handler(job: Job) -> None:
        started.append(job.data)
        if len(started) == 1000:
            all_started.set()

    await queue.add_bulk(NewJob(name="task", data=number) for number in range(1000))
    async with Worker(queue_name, handler, redis_url), asyncio.timeout(60):
        await all_started.wait()
    assert started == list(range(1000))


async def test_lifo_jobs_come_before_waiting_ones_the_newest_first(
    queue: Queue, driver: Driver
) -> None:
    for name in ("plain-1", "plain-2"):
        await queue.add("task", job_id=name)
    for name in ("lifo-1", "lifo-2"):
        await queue.add("task", job_id=name, lifo=True)
    assert ids(await driver.take(4)) == ["lifo-2", "lifo-1", "plain-1", "plain-2"]


async def test_priorities_ascend_equals_are_fifo_and_none_goes_first(
    queue: Queue, driver: Driver
) -> None:
    for name, priority in (("c", 7), ("a", 1), ("d", 7), ("b", 1), ("z", 2097151), ("first", 0)):
        await queue.add("task", job_id=name, priority=priority)
    assert ids(await driver.take(6)) == ["first", "a", "b", "c", "d", "z"]


async def test_a_job_keeps_its_priority_whatever_brings_it_back(
    queue: Queue, driver: Driver
) -> None:
    """Retry, stall, promotion, hand-back and rate limit: each leaves 5 behind 1, before 9."""
    ways = {
        "retried": 0,
        "stalled": 1,
        "handed-back": 2,
        "limited": 3,
    }
    for name in ways:
        await queue.add("task", job_id=name, priority=5)
    taken = {job.id.decode(): job for job in (await driver.take(4)).jobs}
    await queue.add("task", job_id="promoted", priority=5, delay=60)
    await queue.add("task", job_id="urgent", priority=1)
    await queue.add("task", job_id="equal", priority=5)
    await queue.add("task", job_id="late", priority=9)
    await driver.finish(settle(taken["retried"], "waiting"))
    await driver.scripts.release(consumer="w1", jobs=[("handed-back", taken["handed-back"].token)])
    await driver.finish(settle(taken["limited"], "front"))
    await driver.sweep(dead="w1")
    await queue.promote("promoted")
    order = ids(await driver.take(8))
    assert order[0] == "urgent"
    assert order[-1] == "late"
    # what was pushed back goes before its equals, what starts anew behind them
    assert set(order[1:4]) == {"stalled", "handed-back", "limited"}
    assert order[4:7] == ["equal", "retried", "promoted"]


async def test_a_rate_limited_prioritized_job_runs_first_among_its_equals(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    started: list[str] = []

    async def handler(job: Job) -> None:
        started.append(job.id)
        if len(started) == 1:
            raise RateLimitError(0.05)

    for name in ("first", "second"):
        await queue.add("task", job_id=name, priority=3)
    await queue.add("task", job_id="urgent-later", priority=4)
    async with Worker(queue_name, handler, redis_url):
        await until(lambda: len(started) == 4, what="all jobs to start")
    assert started == ["first", "first", "second", "urgent-later"]


async def test_delayed_jobs_of_one_millisecond_keep_the_order_of_their_adds_over_many_workers(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    started: list[tuple[int, int]] = []

    async def handler(job: Job) -> None:
        assert job.fence is not None
        started.append((job.fence, job.data))

    # one call, so one millisecond
    count = 200
    options = queue.job_options(delay=0.3)
    await queue.add_bulk(NewJob(name="task", data=n, options=options) for n in range(count))
    workers = [Worker(queue_name, handler, redis_url, concurrency=5) for _ in range(4)]
    async with workers[0], workers[1], workers[2], workers[3]:
        await until(lambda: len(started) == count, what="all jobs to start")
    # fences grow with each activation, whichever worker got it
    assert [number for _, number in sorted(started)] == list(range(count))
