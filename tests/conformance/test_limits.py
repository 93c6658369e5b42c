"""Behaviours 36 to 41: rate limits, global concurrency, pause."""

import asyncio

from tests.conformance.processes import worker_process
from tests.support.driver import Driver
from tests.support.waiting import until
from tests.support.workers import HeldHandler, ended, jobs_in
from vqueue import Job, JobState, NewJob, Queue, RateLimit, RateLimitError, Worker

#: Seconds.
LEASE = 0.6


class Counted:
    """A handler that knows how many jobs have run at once; every seventh job fails once."""

    def __init__(self) -> None:
        self.running = 0
        self.most = 0

    async def __call__(self, job: Job) -> None:
        """Run for a few turns of the loop."""
        self.running += 1
        self.most = max(self.most, self.running)
        for _ in range(20):
            await asyncio.sleep(0)
        self.running -= 1
        if job.data % 7 == 0 and job.attempts_started == 1:
            raise ValueError("once more")


async def test_a_rate_limit_holds_over_three_workers(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    limit = RateLimit(max=3, duration=0.2)

    async def handler(_: Job) -> None:
        return None

    added = [await queue.add("task") for _ in range(14)]
    workers = [
        Worker(queue_name, handler, redis_url, concurrency=2, limiter=limit) for _ in range(3)
    ]
    async with workers[0], workers[1], workers[2]:
        jobs = await ended(queue, *(job.id for job in added))
    # a window begins with its first job, by the server's clock
    windows: list[list[float]] = []
    for start in sorted(job.processed_on or 0 for job in jobs):
        if not windows or start - windows[-1][0] >= 0.2 - 0.001:
            windows.append([])
        windows[-1].append(start)
    assert max(map(len, windows)) <= 3
    assert len(windows) >= 5


async def test_a_manual_limit_stops_all_workers_and_puts_the_job_back_without_an_attempt_spent(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    started: list[Job] = []

    async def handler(job: Job) -> None:
        started.append(job)
        if len(started) == 1:
            await queue.rate_limit(0.4)
            # the other worker is idle, and may not take these
            for name in ("second", "third"):
                await queue.add("task", job_id=name)
            raise RateLimitError

    workers = [Worker(queue_name, handler, redis_url) for _ in range(2)]
    async with workers[0], workers[1]:
        await queue.add("task", job_id="first")
        jobs = await ended(queue, "first", "second", "third")
    starts = [event.job_id for event in await driver.events() if event.name == "active"]
    assert starts == ["first", "first", "second", "third"]
    assert [job.attempts_made for job in started] == [0] * 4
    assert [(job.state, job.attempts_made) for job in jobs] == [("completed", 1)] * 3
    # the hold begins after the first start
    held_from = started[0].processed_on or 0
    assert all((job.processed_on or 0) - held_from >= 0.4 for job in started[1:])


async def test_global_concurrency_is_never_exceeded_and_no_job_is_stuck_at_it(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    handler = Counted()
    samples: list[int] = []
    await queue.set_global_concurrency(3)
    options = queue.job_options(attempts=2)
    added = await queue.add_bulk(NewJob(name="task", data=n, options=options) for n in range(120))
    async with Worker(queue_name, handler, redis_url, concurrency=4):
        for turn in range(1, 5):
            # others come and go
            async with (
                Worker(queue_name, handler, redis_url, concurrency=4),
                Worker(queue_name, handler, redis_url, concurrency=4),
            ):

                async def has_gone_on(goal: int = 20 * turn) -> bool:
                    counts = await queue.get_job_counts()
                    samples.append(counts[JobState.ACTIVE])
                    return counts[JobState.COMPLETED] >= goal

                await until(has_gone_on, what="a sixth of the jobs")
        jobs = await ended(queue, *(job.id for job in added))
    assert {job.state for job in jobs} == {"completed"}
    assert max(samples) <= 3
    assert handler.most == 3


async def test_after_a_crash_at_the_limit_the_slots_come_back(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    handler = Counted()
    await queue.set_global_concurrency(2)
    added = [await queue.add("task", n) for n in range(1, 6)]
    with worker_process(driver, lease=LEASE, concurrency=2) as process:
        for job in added[:2]:
            await process.tells(f"started {job.id}")
        process.kill()
    async with Worker(queue_name, handler, redis_url, concurrency=4, lock_duration=LEASE):
        jobs = await ended(queue, *(job.id for job in added))
    assert [(job.state, job.stalled_count) for job in jobs] == [
        *[("completed", 1)] * 2,
        *[("completed", 0)] * 3,
    ]
    assert handler.most == 2


async def test_a_paused_queue_starts_nothing_ends_what_runs_and_keeps_what_comes_until_resumed(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    handler = HeldHandler()
    await queue.add("task", job_id="running")
    async with Worker(queue_name, handler, redis_url, concurrency=9):
        await handler.running(1)
        await queue.add("task", job_id="due", delay=0.3)
        await queue.pause()
        await queue.add("task", job_id="added")
        await queue.add("task", job_id="urgent", priority=1)
        await queue.add("task", job_id="promoted", delay=60)
        await queue.promote("promoted")
        await jobs_in(queue, "due", "added", "promoted", states={JobState.WAITING})
        handler.let_go.set()
        (running,) = await ended(queue, "running")
        assert running.state == "completed"
        counts = await queue.get_job_counts()
        assert (counts["waiting"], counts["prioritized"], counts["active"]) == (3, 1, 0)
        assert [job.id for job in handler.started] == ["running"]
        await queue.resume()
        await ended(queue, "due", "added", "urgent", "promoted")
    assert len(handler.started) == 5


async def test_a_paused_worker_waits_for_its_jobs_and_another_goes_on(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    held, other = HeldHandler(), HeldHandler()
    other.let_go.set()
    first = await queue.add("task")
    async with Worker(queue_name, held, redis_url) as worker:
        await held.running(1)
        pausing = asyncio.create_task(worker.pause())
        await until(lambda: worker.is_paused, what="the pause to begin")
        assert not pausing.done()
        held.let_go.set()
        await pausing
        assert worker.running == []
        second = await queue.add("task")
        async with Worker(queue_name, other, redis_url):
            await ended(queue, first.id, second.id)
        assert [job.id for job in held.started] == [first.id]
        third = await queue.add("task")
        worker.resume()
        await ended(queue, third.id)
        assert [job.id for job in held.started] == [first.id, third.id]
