"""Behaviours 55, 56 and 60: random runs with kills, cuts and pauses end as they must.

A run takes a few seconds; RANDOM_RUN_SECONDS=300 asks for a long one.
"""

import asyncio
import os
import random
import time
from collections import defaultdict
from functools import partial

from tests.conformance.planned import CANCELLED, End, follow, foreseen, found, plan
from tests.conformance.processes import worker_process
from tests.support.driver import Driver
from tests.support.waiting import until
from vqueue import Job, JobState, NewJob, Queue, QueueEvents, Worker

SECONDS = float(os.environ.get("RANDOM_RUN_SECONDS", 4))
LEASE = 0.6


class Runs:
    """A handler that follows the plans of jobs, and remembers when each activation ran."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        #: Job id → the fences of the activations that are running here.
        self.running: dict[str, set[int]] = defaultdict(set)
        self.overlaps: list[str] = []

    async def __call__(self, job: Job) -> str:
        """Run for a moment; end as planned."""
        assert job.fence is not None
        if self.running[job.id]:
            self.overlaps.append(f"{job.id}: {job.fence} beside {self.running[job.id]}")
        self.running[job.id].add(job.fence)
        try:
            await asyncio.sleep(self._dice.uniform(0, 0.02))
        finally:
            self.running[job.id].discard(job.fence)
        return await follow(job, self._dice)


def _new_job(number: int, dice: random.Random, queue: Queue) -> NewJob:
    options = queue.job_options(
        job_id=f"job-{number}",
        attempts=dice.randint(1, 4),
        backoff=dice.choice([0, 0.01]),
        delay=dice.choice([0, 0, 0.05]),
        priority=dice.choice([0, 0, 1, 7]),
        max_stalled=100,
    )
    return NewJob(name="task", data={"plan": plan(dice), "waited": 0}, options=options)


def _end_of(job: NewJob) -> End:
    assert job.options
    return foreseen(job.data["plan"], allowed=job.options.attempts)


async def test_whatever_happens_every_job_ends_once_and_no_two_runs_overlap(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    dice = random.Random(60)  # noqa: S311 - the same run every time
    runs = Runs(dice)
    added, ends, cancelled = 0, dict[str, End](), set[str]()
    probe = f"probe:{queue_name}"
    until_when = time.monotonic() + SECONDS

    async def add_some() -> None:
        nonlocal added
        jobs = [_new_job(added + k, dice, queue) for k in range(20)]
        ends.update({f"job-{added + k}": _end_of(job) for k, job in enumerate(jobs)})
        await queue.add_bulk(jobs)
        added += 20

    async def holds_more(heard: int) -> bool:
        return bool(await driver.redis("LLEN", probe) > heard)

    worker = Worker(queue_name, runs, redis_url, concurrency=8, lock_duration=LEASE)
    other = Worker(queue_name, runs, redis_url, concurrency=8, lock_duration=LEASE)
    async with worker, other:
        while time.monotonic() < until_when:
            heard = await driver.redis("LLEN", probe)
            with worker_process(driver, lease=LEASE) as process:
                for one in (worker, other):
                    await one.pause(wait_for_active=False)
                await add_some()
                await until(partial(holds_more, heard), what="a job that will be left", deadline=30)
                for one in (worker, other):
                    one.resume()
                for _ in range(6):
                    await add_some()
                    match dice.randrange(4):
                        case 0:
                            await queue.pause()
                            await asyncio.sleep(0.02)
                            await queue.resume()
                        case 1:
                            await driver.redis("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
                        case 2:
                            await worker.pause(wait_for_active=False)
                            await asyncio.sleep(0.02)
                            worker.resume()
                        case _:
                            job_id = f"job-{dice.randrange(added)}"
                            cancelled.add(job_id)
                            await queue.cancel(job_id)
                    await asyncio.sleep(0.05)
                # it held jobs until now, and ended none
                process.kill()

        async def all_ended() -> bool:
            counts = await queue.get_job_counts()
            return counts[JobState.COMPLETED] + counts[JobState.FAILED] == added

        await until(all_ended, what=f"the end of {added} jobs", deadline=60)
    assert runs.overlaps == []
    await driver.redis("DEL", probe)
    for job_id, end in ends.items():
        job = await queue.get_job(job_id)
        assert job
        if job_id not in cancelled or job.failed_reason != CANCELLED:
            assert found(job) == end, job_id
    # the invariants prove that each job's events are a legal path that ends in its place
    await driver.check(idle=True)


async def test_a_reader_that_is_restarted_again_and_again_sees_every_event_once(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    dice = random.Random(56)  # noqa: S311 - the same run every time
    jobs = [_new_job(number, dice, queue) for number in range(200)]
    numbers: list[int] = []
    position = "0"
    async with Worker(queue_name, Runs(dice), redis_url, concurrency=8):
        await queue.add_bulk(jobs)
        ended = 0
        while ended < len(jobs):
            async with QueueEvents(queue_name, redis_url, last_event_id=position) as events:
                async for event in events:
                    numbers.append(event.number)
                    position = event.id
                    ended += event.name in ("completed", "failed")
                    if ended == len(jobs) or dice.random() < 0.02:
                        break
    assert numbers == list(range(1, len(numbers) + 1))


async def test_a_reader_behind_the_trim_point_is_told_of_the_gap_and_goes_on(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    async with QueueEvents(queue_name, redis_url, last_event_id="0") as events:
        await queue.add("task", job_id="read")
        position = (await anext(aiter(events))).id
    for number in range(5):
        await queue.add("task", job_id=f"missed-{number}")
    await queue.add("task", job_id="kept")
    await driver.redis("XTRIM", driver.keys.ev, "MAXLEN", 1)
    async with QueueEvents(queue_name, redis_url, last_event_id=position) as events:
        reading = aiter(events)
        gap, following = await anext(reading), await anext(reading)
    assert (gap.name, gap.job_id) == ("gap", "")
    assert (following.name, following.job_id) == ("added", "kept")
