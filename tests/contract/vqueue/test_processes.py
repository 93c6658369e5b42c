"""Handlers in child processes: results, errors, crashes, and an end by force."""

import os

from tests.support.processes import is_running
from tests.support.waiting import until
from tests.support.workers import ended
from vqueue import Queue, Worker, in_processes

FUNCTIONS = "tests.support.child_functions"


async def test_a_child_runs_job_after_job(queue: Queue, redis_url: str, queue_name: str) -> None:
    added = [await queue.add("task", n) for n in range(3)]
    async with (
        in_processes(f"{FUNCTIONS}:double", processes=1) as handler,
        Worker(queue_name, handler, redis_url, concurrency=2),
    ):
        jobs = await ended(queue, *(job.id for job in added))
    assert [job.returnvalue["doubled"] for job in jobs] == [0, 2, 4]
    (pid,) = {job.returnvalue["pid"] for job in jobs}
    assert pid != os.getpid()
    assert jobs[0].progress == 50
    assert len(await queue.get_job_logs(jobs[0].id)) == 1
    async with queue.partial_results(jobs[2].id) as partials:
        assert [partial.value async for partial in partials] == [{"half": 2}]
    assert not is_running(pid)


async def test_errors_of_a_child_are_those_of_the_attempt(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    await queue.add("task", "plain", job_id="plain", attempts=2)
    await queue.add("task", "unrecoverable", job_id="final", attempts=5)
    await queue.add("task", "later", job_id="later")
    async with (
        in_processes(f"{FUNCTIONS}:fail", processes=1) as handler,
        Worker(queue_name, handler, redis_url),
    ):
        plain, final, later = await ended(queue, "plain", "final", "later")
    assert (plain.failed_reason, plain.attempts_made) == ("no luck", 2)
    assert "child_functions.py" in plain.stacktrace[-1]
    assert (final.failed_reason, final.attempts_made) == ("for good", 1)
    assert (later.state, later.attempts_made, later.attempts_started) == ("completed", 1, 2)


async def test_a_child_that_dies_fails_its_attempt_only(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    added = await queue.add("task", attempts=2)
    once = await queue.add("task")
    async with (
        in_processes(f"{FUNCTIONS}:crash", processes=2) as handler,
        Worker(queue_name, handler, redis_url, concurrency=2),
    ):
        job, other = await ended(queue, added.id, once.id)
    assert (job.returnvalue, job.attempts_made) == ("second attempt", 2)
    assert other.failed_reason is not None
    assert "ended with status -9" in other.failed_reason


async def test_a_cancelled_job_ends_its_child_by_force(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    added = await queue.add("task")
    async with (
        in_processes(f"{FUNCTIONS}:hang", processes=1, grace=0.1) as handler,
        Worker(queue_name, handler, redis_url, lock_duration=0.6),
    ):
        pids: list[int] = []

        async def has_started() -> bool:
            job = await queue.get_job(added.id)
            if job is not None and job.progress:
                pids.append(job.progress)
            return bool(pids)

        await until(has_started, what="the child to tell its process id")
        await queue.cancel(added.id)
        (job,) = await ended(queue, added.id)
    assert job.failed_reason == "cancelled"
    assert not is_running(pids[0])


async def test_a_function_that_is_not_there_fails_the_attempt(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    added = await queue.add("task")
    async with (
        in_processes(f"{FUNCTIONS}:nothing", processes=1) as handler,
        Worker(queue_name, handler, redis_url),
    ):
        (job,) = await ended(queue, added.id)
    assert job.failed_reason is not None
    assert "ended with status 1" in job.failed_reason
