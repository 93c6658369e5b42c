"""Behaviours 7 to 12: in which order jobs start."""

import asyncio

from tests.conformance.processes import worker_process
from tests.support.driver import Driver, ids
from tests.support.waiting import until
from tests.support.workers import ended, jobs_in
from vqueue import Job, JobState, NewJob, Queue, RateLimitError, Worker

#: Seconds.
LEASE = 0.6


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


async def test_a_job_keeps_its_priority_and_place_whatever_brings_it_back(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    """Jobs of priority 5 come back before 9, after 1: at the front of their equals when they
    were stopped by no fault of theirs, at the back when they start anew."""
    started: list[str] = []

    async def handler(job: Job) -> None:
        started.append(job.id)
        if started.count(job.id) == 1:
            if job.id == "limited":
                raise RateLimitError(0.05)
            if job.id == "retried":
                raise ValueError("once more")

    for name in ("stalled", "limited", "retried", "equal"):
        await queue.add("task", job_id=name, priority=5, attempts=2)
    with worker_process(driver, lease=LEASE) as process:
        await process.tells("started stalled")
        await queue.pause()
        process.kill()
    await queue.add("task", job_id="promoted", priority=5, delay=60)
    await queue.add("task", job_id="late", priority=9)
    await queue.add("task", job_id="urgent", priority=1)
    async with Worker(queue_name, handler, redis_url, lock_duration=LEASE):
        await jobs_in(queue, "stalled", states={JobState.PRIORITIZED})
        await queue.promote("promoted")
        await queue.resume()
        jobs = await ended(queue, "late")
    assert {job.state for job in jobs} == {"completed"}
    assert started == [
        *("urgent", "stalled", "limited", "limited", "retried"),
        *("equal", "promoted", "retried", "late"),
    ]


async def test_a_changed_priority_reorders_a_waiting_job_and_lifo_puts_it_before_its_equals(
    queue: Queue, driver: Driver
) -> None:
    for name in ("a", "b", "c"):
        await queue.add("task", job_id=name)
    for name in ("p5", "q5"):
        await queue.add("task", job_id=name, priority=5)
    await queue.change_priority("a", 5)
    await queue.change_priority("b", 4)
    await queue.change_priority("q5", 5, lifo=True)
    assert await driver.state("a") == "prioritized"
    assert ids(await driver.take(5)) == ["c", "b", "q5", "p5", "a"]


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
