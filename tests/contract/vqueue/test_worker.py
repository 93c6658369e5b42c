"""Worker: what becomes of a job when its handler returns or raises."""

import asyncio
from typing import Any

import pytest

from tests.support.driver import Driver
from tests.support.waiting import until
from tests.support.workers import HeldHandler, ended
from vqueue import (
    Backoff,
    InvalidOption,
    Job,
    NewJob,
    Queue,
    UnrecoverableError,
    Worker,
)


async def fails(job: Job) -> None:
    """A handler that never succeeds."""
    raise ValueError(f"start {job.attempts_started}")


async def waits_between_attempts(driver: Driver) -> list[float]:
    """Seconds of every delay so far, as the events tell."""
    return [
        round(event.data["delay_until"] - event.timestamp, 3)
        for event in await driver.events()
        if event.name == "delayed"
    ]


async def test_a_result_completes_the_job(queue: Queue, redis_url: str, queue_name: str) -> None:
    async def handler(job: Job) -> Any:
        return {"doubled": job.data * 2}

    added = await queue.add("task", 21)
    async with Worker(queue_name, handler, redis_url):
        (job,) = await ended(queue, added.id)
    assert (job.state, job.returnvalue) == ("completed", {"doubled": 42})
    assert (job.attempts_made, job.attempts_started, job.stalled_count) == (1, 1, 0)
    assert job.processed_on is not None
    assert job.finished_on is not None
    assert job.timestamp is not None
    assert job.timestamp <= job.processed_on <= job.finished_on


async def test_a_job_runs_as_often_as_it_has_attempts(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    added = await queue.add("task", attempts=3)
    async with Worker(queue_name, fails, redis_url):
        (job,) = await ended(queue, added.id)
    assert (job.state, job.failed_reason) == ("failed", "start 3")
    assert (job.attempts_made, job.attempts_started) == (3, 3)
    assert "ValueError: start 3" in job.stacktrace[-1]


async def test_each_attempt_sees_the_counters_and_a_fence_of_its_own(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    seen: list[tuple[int, int]] = []
    fences: list[int] = []

    async def handler(job: Job) -> None:
        seen.append((job.attempts_made, job.attempts_started))
        assert job.fence is not None
        fences.append(job.fence)
        assert job.consumer == worker.consumer
        if len(seen) < 3:
            raise ValueError

    added = await queue.add("task", attempts=5)
    worker = Worker(queue_name, handler, redis_url)
    async with worker:
        (job,) = await ended(queue, added.id)
    assert job.state == "completed"
    assert job.failed_reason is None
    assert seen == [(0, 1), (1, 2), (2, 3)]
    assert fences == sorted(set(fences))


async def test_a_fixed_backoff_waits_the_same_each_time(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    added = await queue.add("task", attempts=3, backoff=0.02)
    async with Worker(queue_name, fails, redis_url):
        await ended(queue, added.id)
    assert await waits_between_attempts(driver) == [0.02, 0.02]


async def test_an_exponential_backoff_grows_by_its_factor(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    backoff = Backoff(type="exponential", delay=0.005, factor=4)
    added = await queue.add("task", attempts=4, backoff=backoff)
    async with Worker(queue_name, fails, redis_url):
        await ended(queue, added.id)
    assert await waits_between_attempts(driver) == [0.005, 0.02, 0.08]


async def test_a_custom_backoff_is_asked_with_the_error_and_the_job(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    asked: list[tuple[int, str, str, str]] = []

    async def strategy(made: int, kind: str, error: BaseException, job: Job) -> float:
        asked.append((made, kind, str(error), job.id))
        return {1: 0.01, 2: 0}.get(made, -1)

    added = await queue.add("task", attempts=9, backoff=Backoff(type="patient"))
    async with Worker(queue_name, fails, redis_url, backoff_strategy=strategy):
        (job,) = await ended(queue, added.id)
    assert asked == [(n, "patient", f"start {n}", added.id) for n in (1, 2, 3)]
    assert (job.state, job.failed_reason, job.attempts_made) == ("failed", "start 3", 3)
    # after the first failure a delay, after the second one at once, then no more
    assert await waits_between_attempts(driver) == [0.01]


async def test_a_missing_strategy_fails_the_job_and_says_so(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    added = await queue.add("task", attempts=9, backoff=Backoff(type="patient"))
    async with Worker(queue_name, fails, redis_url):
        (job,) = await ended(queue, added.id)
    assert (job.state, job.attempts_made) == ("failed", 1)
    assert job.failed_reason is not None
    assert "'patient'" in job.failed_reason
    assert "backoff_strategy" in job.failed_reason
    assert "start 1" in job.stacktrace[-1]


async def test_a_strategy_that_raises_fails_the_job_with_its_error(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    def strategy(*_: object) -> float:
        raise LookupError("no plan")

    added = await queue.add("task", attempts=9, backoff=Backoff(type="patient"))
    async with Worker(queue_name, fails, redis_url, backoff_strategy=strategy):
        (job,) = await ended(queue, added.id)
    assert (job.state, job.failed_reason, job.attempts_made) == ("failed", "no plan", 1)


async def test_an_unrecoverable_error_skips_the_attempts_that_are_left(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    async def handler(_: Job) -> None:
        raise UnrecoverableError("not a video")

    added = await queue.add("task", attempts=5)
    async with Worker(queue_name, handler, redis_url):
        (job,) = await ended(queue, added.id)
    assert (job.state, job.failed_reason, job.attempts_made) == ("failed", "not a video", 1)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError(), "ValueError"),
        (ValueError("x" * 10_000), "x" * 4096),
        (ValueError("\ud800 file"), "? file"),
        (asyncio.CancelledError(), "CancelledError"),
    ],
    ids=["empty", "long", "surrogate", "cancelled"],
)
async def test_any_error_becomes_a_reason(
    queue: Queue, redis_url: str, queue_name: str, error: BaseException, reason: str
) -> None:
    async def handler(_: Job) -> None:
        raise error

    added = await queue.add("task")
    async with Worker(queue_name, handler, redis_url):
        (job,) = await ended(queue, added.id)
    assert (job.state, job.failed_reason) == ("failed", reason)


async def test_a_result_that_is_not_json_fails_its_job_only(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    async def handler(job: Job) -> Any:
        return object() if job.id == "bad" else "good"

    await queue.add("task", job_id="bad")
    await queue.add("task", job_id="good")
    async with Worker(queue_name, handler, redis_url):
        bad, good = await ended(queue, "bad", "good")
    assert bad.state == "failed"
    assert bad.failed_reason is not None
    assert "result of job bad" in bad.failed_reason
    assert (good.state, good.returnvalue) == ("completed", "good")


async def test_a_payload_that_is_not_json_fails_its_job_only(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    async def handler(_: Job) -> None:
        return None

    await driver.add("bad", data=b"{")
    await driver.add("good")
    async with Worker(queue_name, handler, redis_url):

        async def both_ended() -> bool:
            states = [await driver.state(job_id) for job_id in ("bad", "good")]
            return states == ["failed", "completed"]

        await until(both_ended, what="the jobs to end")
    snapshot = await driver.snapshot("bad")
    assert snapshot is not None
    assert b"its payload cannot be read" in snapshot.record


async def test_no_more_jobs_run_than_there_are_slots(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    now = most = 0

    async def handler(_: Job) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1

    jobs = await asyncio.gather(*(queue.add("task") for _ in range(60)))
    async with Worker(queue_name, handler, redis_url, concurrency=4):
        await ended(queue, *(job.id for job in jobs))
    assert most == 4


async def test_jobs_run_in_all_slots_at_once(queue: Queue, redis_url: str, queue_name: str) -> None:
    handler = HeldHandler()
    async with Worker(queue_name, handler, redis_url, concurrency=3) as worker:
        for number in range(3):
            await queue.add("task", job_id=f"job-{number}")
            await handler.running(number + 1)
        assert sorted(job.id for job in worker.running) == ["job-0", "job-1", "job-2"]
        handler.let_go.set()
        await ended(queue, "job-0", "job-1", "job-2")
    assert worker.running == []


async def test_a_delayed_job_starts_when_it_is_due(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    handler = HeldHandler()
    handler.let_go.set()
    async with Worker(queue_name, handler, redis_url):
        added = await queue.add("task", delay=0.1)
        (job,) = await ended(queue, added.id)
    assert job.processed_on is not None
    assert job.timestamp is not None
    assert job.processed_on >= job.timestamp + 0.1
    assert await driver.history(added.id) == ["added", "delayed", "waiting", "active", "completed"]


@pytest.mark.parametrize(
    ("options", "named"),
    [({"concurrency": 0}, "concurrency"), ({"lock_duration": 0.05}, "lock_duration")],
    ids=str,
)
def test_a_bad_worker_option_is_refused(
    redis_url: str, queue_name: str, options: dict[str, Any], named: str
) -> None:
    with pytest.raises(InvalidOption, match=named):
        Worker(queue_name, fails, redis_url, **options)


async def test_jobs_that_end_together_are_settled_in_two_calls_that_overlap(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    async def nothing(job: Job) -> None:
        del job

    added = await queue.add_bulk(NewJob(name="task", data=n) for n in range(40))
    async with Worker(queue_name, nothing, redis_url, concurrency=10):
        await ended(queue, *(job.id for job in added))
    entries = await driver.redis("XRANGE", driver.keys.ev, "-", "+")
    sizes = [len(fields) // 2 - 2 for _, fields in entries if fields[1] == b"completed"]
    assert (sum(sizes), max(sizes)) == (40, 5)


async def test_a_worker_takes_at_most_100_jobs_in_a_call(
    driver: Driver, queue: Queue, redis_url: str, queue_name: str
) -> None:
    async def handler(job: Job) -> None:
        """Succeed."""

    jobs = await queue.add_bulk([NewJob(name="task")] * 400)
    async with Worker(queue_name, handler, redis_url, concurrency=300):
        await ended(queue, *(job.id for job in jobs))
    entries = (await driver.dump()).stream("ev").entries
    sizes = {
        kind: max(len(entry.fields) // 2 - 2 for entry in entries if entry.fields[1] == kind)
        for kind in ("active", "completed")
    }
    assert sizes["active"] == 100
    assert sizes["completed"] <= 100
