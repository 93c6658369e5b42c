"""Behaviours 21 and 22: jobs that have ended are run again on demand."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from tests.support.driver import Driver, settle
from tests.support.workers import HeldHandler, ended
from vqueue import JobNotInState, JobState, Queue, Worker


@pytest.mark.parametrize("end", [JobState.COMPLETED, JobState.FAILED])
async def test_a_retried_job_starts_without_what_became_of_it(
    queue: Queue, driver: Driver, end: JobState
) -> None:
    await queue.add("task", job_id="job", attempts=3)
    await driver.finish(settle(await driver.take_one(), end))
    await queue.retry("job", end)
    job = await queue.get_job("job")
    assert job is not None
    assert (job.state, job.returnvalue, job.failed_reason, job.stacktrace) == (
        "waiting",
        None,
        None,
        (),
    )
    assert (job.processed_on, job.finished_on) == (None, None)
    assert (job.attempts_made, job.attempts_started) == (1, 1)
    event = (await driver.events())[-1]
    assert (event.name, event.data) == ("waiting", {"prev": end})


async def test_a_retry_counts_anew_what_it_is_asked_to(queue: Queue, driver: Driver) -> None:
    async def counters() -> tuple[int, int, int]:
        job = await queue.get_job("job")
        assert job is not None
        return job.attempts_made, job.attempts_started, job.stalled_count

    await queue.add("task", job_id="job")
    await driver.take()
    await driver.sweep(dead="w1")
    await driver.finish(settle(await driver.take_one(), "failed"))
    await queue.retry("job", reset_attempts_started=True)
    assert await counters() == (1, 1, 0)
    await driver.finish(settle(await driver.take_one(), "failed"))
    await queue.retry("job", reset_attempts_made=True, reset_attempts_started=True)
    assert await counters() == (0, 0, 0)


async def test_an_active_job_cannot_be_retried(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    handler = HeldHandler()
    await queue.add("task", job_id="job")
    async with Worker(queue_name, handler, redis_url):
        await handler.running(1)
        for end in (JobState.COMPLETED, JobState.FAILED):
            with pytest.raises(JobNotInState, match=f"it is active, and must be {end}"):
                await queue.retry("job", end)
        handler.let_go.set()
        await ended(queue, "job")
    assert await driver.history("job") == ["added", "waiting", "active", "completed"]


async def test_of_callers_that_retry_a_job_at_once_one_wins_and_it_runs_once(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    handler = HeldHandler()
    await queue.add("task", job_id="job", attempts=2)
    await driver.finish(settle(await driver.take_one(), "failed"))
    async with AsyncExitStack() as stack:
        callers = [await stack.enter_async_context(Queue(queue_name, redis_url)) for _ in range(8)]
        for _ in range(2):
            await stack.enter_async_context(Worker(queue_name, handler, redis_url))
        answers = await asyncio.gather(
            *(caller.retry("job") for caller in callers), return_exceptions=True
        )
        assert sum(answer is None for answer in answers) == 1
        assert sum(isinstance(answer, JobNotInState) for answer in answers) == 7
        await handler.running(1)
        handler.let_go.set()
        (job,) = await ended(queue, "job")
    assert (job.state, len(handler.started)) == ("completed", 1)
    assert (await driver.history("job")).count("active") == 2
