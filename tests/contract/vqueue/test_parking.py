"""Handlers that put their job back: later, to the front, or because of a rate limit."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.driver import Driver, settle
from tests.support.workers import ended, jobs_in
from vqueue import (
    DelayedError,
    Job,
    JobNotActive,
    JobState,
    Queue,
    RateLimitError,
    UnrecoverableError,
    WaitingError,
    Worker,
)
from vqueue.outcome import Outcome
from vqueue.record import TakenJob, settlement


def put_back(job: TakenJob, kind: str, rule: str = "") -> Any:
    """How finish.lua is to put a job back."""
    return settlement(job, Outcome(kind=kind, value=b"", rule=rule), consumer="w1", started_ms=1)


async def move_to_delayed(job: Job) -> None:
    await job.move_to_delayed(0.01)


async def move_to_wait(job: Job) -> None:
    await job.move_to_wait()


async def raise_delayed(_: Job) -> None:
    raise DelayedError(0.01)


async def raise_waiting(_: Job) -> None:
    raise WaitingError


async def raise_limited(_: Job) -> None:
    raise RateLimitError(0.01)


async def raise_limited_without_a_time(_: Job) -> None:
    raise RateLimitError


@pytest.mark.parametrize(
    ("leave", "way"),
    [
        (move_to_delayed, ["delayed", "waiting"]),
        (raise_delayed, ["delayed", "waiting"]),
        (move_to_wait, ["waiting"]),
        (raise_waiting, ["waiting"]),
        (raise_limited, ["waiting"]),
        (raise_limited_without_a_time, ["waiting"]),
    ],
)
@pytest.mark.parametrize("priority", [0, 7])
async def test_a_job_that_puts_itself_back_runs_again_without_an_attempt_spent(
    queue: Queue,
    driver: Driver,
    redis_url: str,
    queue_name: str,
    leave: Callable[[Job], Any],
    way: list[str],
    priority: int,
) -> None:
    seen: list[tuple[int, int, Any]] = []

    async def handler(job: Job) -> str:
        seen.append((job.attempts_made, job.attempts_started, job.progress))
        if len(seen) < 3:
            await job.update_progress(len(seen))
            await leave(job)
        return "done"

    added = await queue.add("task", {"step": 1}, priority=priority)
    async with Worker(queue_name, handler, redis_url):
        (job,) = await ended(queue, added.id)
    assert seen == [(0, 1, None), (0, 2, 1), (0, 3, 2)]
    assert (job.state, job.returnvalue, job.data) == ("completed", "done", {"step": 1})
    assert (job.attempts_made, job.attempts_started, job.priority) == (1, 3, priority)
    events = [name for name in await driver.history(added.id) if name != "progress"]
    assert events == ["added", "waiting", *["active", *way] * 2, "active", "completed"]


async def test_a_parked_job_keeps_why_its_last_attempt_failed(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    async def handler(job: Job) -> None:
        if job.attempts_started == 1:
            raise ValueError("first")
        if job.attempts_started == 2:
            await job.move_to_delayed(3600)

    added = await queue.add("task", attempts=2)
    async with Worker(queue_name, handler, redis_url):
        (job,) = await jobs_in(queue, added.id, states={JobState.DELAYED})
    assert (job.failed_reason, job.attempts_made, job.attempts_started) == ("first", 1, 2)
    (trace,) = job.stacktrace
    assert "ValueError: first" in trace


async def test_jobs_put_to_the_front_keep_their_order_and_priority(driver: Driver) -> None:
    await driver.add("low", place="9")
    await driver.add("a", "b", "c", place="5")
    await driver.add("plain")
    jobs = (await driver.take(4)).jobs
    assert [job.id for job in jobs] == [b"plain", b"a", b"b", b"c"]
    await driver.finish(*(put_back(job, "front") for job in jobs[1:]), settle(jobs[0]))
    again = (await driver.take(9)).jobs
    assert [job.id for job in again] == [b"a", b"b", b"c", b"low"]


async def test_a_rate_limited_job_is_put_back_and_nobody_takes_until_then(driver: Driver) -> None:
    await driver.add("limited", "other")
    job = await driver.take_one()
    reply = await driver.finish(put_back(job, "limited", "60000"), want=2)
    assert reply.taken.jobs == []
    assert 59_000 < reply.taken.due_ms <= 60_000
    assert (await driver.take(2, consumer="w2")).jobs == []
    await driver.scripts.rate_limit(hold_ms=0)
    again = (await driver.take(2, consumer="w2")).jobs
    assert [job.id for job in again] == [b"limited", b"other"]


async def test_a_superseded_worker_puts_nothing_back(driver: Driver) -> None:
    await driver.add("job")
    job = await driver.take_one()
    await driver.sweep(dead="w1")
    await driver.take_one(consumer="w2")
    for kind in ("parked", "front", "limited"):
        assert (await driver.finish(put_back(job, kind, "60000"))).statuses == [0]
    assert await driver.state("job") == "active"
    assert (await driver.scripts.limits()).wait_ms == 0


async def test_a_repeated_putting_back_is_answered_as_done(driver: Driver) -> None:
    await driver.add("job")
    job = await driver.take_one()
    assert (await driver.finish(put_back(job, "front"))).statuses == [1]
    assert (await driver.finish(put_back(job, "front"))).statuses == [2]


async def test_a_time_that_is_none_fails_the_attempt_and_says_so(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    async def handler(_: Job) -> None:
        raise DelayedError(-1)

    added = await queue.add("task")
    async with Worker(queue_name, handler, redis_url):
        (job,) = await ended(queue, added.id)
    assert job.state == "failed"
    assert job.failed_reason == "DelayedError must be seconds from 0 on or a timedelta, not -1"


async def test_only_a_running_handler_moves_its_job(queue: Queue) -> None:
    job = await queue.add("task")
    with pytest.raises(JobNotActive, match="only its running handler moves it"):
        await job.move_to_delayed(1)
    with pytest.raises(JobNotActive, match="only its running handler moves it"):
        await job.move_to_wait()


async def test_unrecoverable_errors_are_not_mistaken_for_parking(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    async def handler(_: Job) -> None:
        try:
            raise WaitingError
        except WaitingError as error:
            raise UnrecoverableError("gave up") from error

    added = await queue.add("task")
    async with Worker(queue_name, handler, redis_url):
        (job,) = await ended(queue, added.id)
    assert (job.state, job.failed_reason) == ("failed", "gave up")
