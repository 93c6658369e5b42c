"""Behaviours 13 to 20: attempts, backoff, parking."""

import asyncio

import pytest

from tests.conformance.processes import worker_process
from tests.support.driver import Driver, settle
from tests.support.workers import ended
from vqueue import (
    Backoff,
    DelayedError,
    FlowJob,
    Job,
    Queue,
    RateLimitError,
    UnrecoverableError,
    Worker,
)


async def test_three_attempts_are_three_starts_then_the_job_failed_with_three_traces(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    async def handler(job: Job) -> None:
        raise ValueError(f"attempt {job.attempts_started}")

    added = await queue.add("task", attempts=3)
    async with Worker(queue_name, handler, redis_url):
        (job,) = await ended(queue, added.id)
    assert (job.state, job.failed_reason) == ("failed", "attempt 3")
    assert (job.attempts_made, job.attempts_started) == (3, 3)
    assert [trace.splitlines()[-1] for trace in job.stacktrace] == [
        f"ValueError: attempt {number}" for number in (1, 2, 3)
    ]
    assert (await driver.history(added.id)).count("active") == 3


@pytest.mark.parametrize(
    ("jitter", "low", "high"), [(0.0, 1.0, 1.0), (0.5, 0.5, 1.0), (1.0, 0.0, 1.0)]
)
def test_exponential_delays_double_and_jitter_stays_in_its_band(
    jitter: float, low: float, high: float
) -> None:
    backoff = Backoff(type="exponential", delay=2, jitter=jitter)
    for made, full_ms in enumerate((2000, 4000, 8000, 16000), 1):
        waits = [backoff.delay_ms(made) for _ in range(200)]
        assert low * full_ms <= min(waits)
        assert max(waits) <= high * full_ms
        assert (len(set(waits)) > 1) is bool(jitter)


async def test_a_custom_strategy_sees_error_and_job_and_can_end_the_job(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    asked: list[tuple[int, str, str, str]] = []

    async def strategy(made: int, kind: str, error: BaseException, job: Job) -> float:
        asked.append((made, kind, str(error), job.id))
        return -1 if made == 2 else 0

    async def handler(_: Job) -> None:
        raise ValueError("boom")

    added = await queue.add("task", attempts=9, backoff=Backoff(type="mine"))
    async with Worker(queue_name, handler, redis_url, backoff_strategy=strategy):
        (job,) = await ended(queue, added.id)
    assert (job.state, job.attempts_made) == ("failed", 2)
    assert asked == [(1, "mine", "boom", added.id), (2, "mine", "boom", added.id)]


async def test_an_unrecoverable_error_skips_the_other_attempts(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    async def handler(_: Job) -> None:
        raise UnrecoverableError("never")

    added = await queue.add("task", attempts=5)
    async with Worker(queue_name, handler, redis_url):
        (job,) = await ended(queue, added.id)
    assert (job.state, job.failed_reason, job.attempts_made) == ("failed", "never", 1)


async def test_attempts_made_and_started_count_different_things(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    """A stall, a park, a limit, a wait for children, a failed attempt, a completion: six starts,
    two ends."""
    seen: list[tuple[int, int, int]] = []

    async def handler(job: Job) -> str:
        if job.name == "child":
            return "done"
        seen.append((job.attempts_made, job.attempts_started, job.stalled_count))
        if len(seen) == 1:
            raise DelayedError(0.01)
        if len(seen) == 2:
            raise RateLimitError(0.01)
        if len(seen) == 3:
            await queue.add_children(job, [FlowJob(name="child")])
            await job.move_to_waiting_children()
        if len(seen) == 4:
            raise ValueError("boom")
        return "done"

    added = await queue.add("task", attempts=3)
    with worker_process(driver, lease=0.6) as process:
        await process.tells(f"started {added.id}")
        process.kill()
    async with Worker(queue_name, handler, redis_url, lock_duration=0.6):
        (job,) = await ended(queue, added.id)
    assert seen == [(0, 2, 1), (0, 3, 1), (0, 4, 1), (0, 5, 1), (1, 6, 1)]
    assert (job.state, job.attempts_made, job.attempts_started) == ("completed", 2, 6)


async def test_a_job_that_runs_out_of_attempts_is_told_once_and_one_that_had_some_left_is_not(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    async def handler(job: Job) -> None:
        if job.name == "hopeless":
            raise UnrecoverableError("no")
        if job.name == "second time" and job.attempts_started == 2:
            return
        raise ValueError("not yet")

    await queue.add("task", job_id="three", attempts=3)
    await queue.add("task", job_id="once")
    await queue.add("hopeless", job_id="early", attempts=3)
    await queue.add("second time", job_id="late", attempts=3)
    async with Worker(queue_name, handler, redis_url):
        await ended(queue, "three", "once", "early", "late")
    told = [event for event in await driver.events() if event.name == "retries-exhausted"]
    assert sorted((event.job_id, event.data["attempts_made"]) for event in told) == [
        ("once", 1),
        ("three", 3),
    ]
    assert (await driver.history("three"))[-2:] == ["failed", "retries-exhausted"]


async def test_a_job_started_more_often_than_allowed_fails_before_its_handler(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    starts: list[int] = []

    async def handler(job: Job) -> None:
        starts.append(job.attempts_started)
        await job.move_to_wait()

    added = await queue.add("task", attempts=9)
    async with Worker(queue_name, handler, redis_url, max_started_attempts=3):
        (job,) = await ended(queue, added.id)
    assert starts == [1, 2, 3]
    assert job.state == "failed"
    assert job.failed_reason is not None
    assert job.failed_reason.startswith("job started more than allowable limit")
    assert (job.attempts_made, job.attempts_started) == (1, 4)


async def test_a_job_that_parks_itself_keeps_its_step_and_spends_no_attempt(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    async def handler(job: Job) -> int:
        step: int = job.data["step"]
        if step < 3:
            await job.update_data({"step": step + 1})
            await job.move_to_delayed(0.01)
        return step

    added = await queue.add("task", {"step": 0})
    async with Worker(queue_name, handler, redis_url):
        (job,) = await ended(queue, added.id)
    assert (job.returnvalue, job.attempts_made, job.attempts_started) == (3, 1, 4)


async def test_a_late_retry_of_a_superseded_activation_changes_nothing(
    queue: Queue, driver: Driver
) -> None:
    await queue.add("task", job_id="job", attempts=5)
    first = await driver.take_one(consumer="w1")
    await driver.sweep(dead="w1")
    second = await driver.take_one(consumer="w2")
    late = [
        driver.finish(settle(first, outcome, rule="1000", consumer="w1"), consumer="w1")
        for outcome in ("waiting", "delayed", "failed", "completed")
    ]
    replies = await asyncio.gather(*late)
    assert [reply.statuses for reply in replies] == [[0]] * 4
    ended_by_second = await driver.finish(settle(second, consumer="w2"), consumer="w2")
    assert ended_by_second.statuses == [1]
