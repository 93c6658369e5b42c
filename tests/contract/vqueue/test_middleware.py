"""Middleware around handlers, and plain functions in threads."""

import threading
from typing import Any

import pytest

from tests.support.waiting import until
from tests.support.workers import ended
from vqueue import BlockingJob, Job, LeaseLost, Queue, Worker, in_threads
from vqueue.attempt import Handler


async def test_middleware_wraps_the_handler_the_first_one_outermost(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    steps: list[str] = []

    async def outer(job: Job, following: Handler) -> Any:
        steps.append("outer")
        result = await following(job)
        steps.append("outer ends")
        return f"<{result}>"

    async def inner(job: Job, following: Handler) -> Any:
        steps.append("inner")
        return await following(job)

    async def handler(_: Job) -> str:
        steps.append("handler")
        return "done"

    added = await queue.add("task")
    async with Worker(queue_name, handler, redis_url, middleware=[outer, inner]):
        (job,) = await ended(queue, added.id)
    assert steps == ["outer", "inner", "handler", "outer ends"]
    assert job.returnvalue == "<done>"


async def test_middleware_may_answer_for_the_handler_and_sees_its_errors(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    async def guard(job: Job, following: Handler) -> Any:
        if job.name == "known":
            return "from the cache"
        try:
            return await following(job)
        except ValueError as error:
            raise ValueError(f"seen: {error}") from error

    async def handler(_: Job) -> None:
        raise ValueError("no")

    known, other = await queue.add("known"), await queue.add("other")
    async with Worker(queue_name, handler, redis_url, middleware=[guard]):
        jobs = await ended(queue, known.id, other.id)
    assert jobs[0].returnvalue == "from the cache"
    assert jobs[1].failed_reason == "seen: no"


async def test_a_function_in_a_thread_reports_and_returns(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    loop_thread = threading.get_ident()

    def function(job: BlockingJob) -> dict[str, Any]:
        job.update_progress(50)
        job.log("half way")
        job.send_partial("half")
        return {"data": job.data, "beside": threading.get_ident() != loop_thread}

    added = await queue.add("task", 7)
    async with Worker(queue_name, in_threads(function, threads=2), redis_url, concurrency=2):
        (job,) = await ended(queue, added.id)
    assert job.returnvalue == {"data": 7, "beside": True}
    assert job.progress == 50
    assert await queue.get_job_logs(added.id) == ["half way"]
    async with queue.partial_results(added.id) as partials:
        assert [partial.value async for partial in partials] == ["half"]


async def test_an_error_in_a_thread_fails_the_attempt(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    def function(job: BlockingJob) -> None:
        raise ValueError(f"{job.name} {job.id}")

    added = await queue.add("task", job_id="job")
    async with Worker(queue_name, in_threads(function, threads=1), redis_url):
        (job,) = await ended(queue, added.id)
    assert job.failed_reason == "task job"


async def test_a_cancelled_function_is_told_and_waited_for(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    started = threading.Event()
    ends: list[bool] = []

    def function(job: BlockingJob) -> None:
        started.set()
        ends.append(job.wait_cancelled(15))

    added = await queue.add("task")
    handler = in_threads(function, threads=1)
    async with Worker(queue_name, handler, redis_url, lock_duration=0.6):
        await until(started.is_set, what="the function to start")
        await queue.cancel(added.id)
        (job,) = await ended(queue, added.id)
    assert ends == [True]
    assert job.failed_reason == "cancelled"


async def test_a_function_whose_lease_is_lost_cannot_report(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    started = threading.Event()
    refused: list[str] = []

    def function(job: BlockingJob) -> None:
        started.set()
        job.wait_cancelled(15)
        with pytest.raises(LeaseLost) as error:
            job.update_progress(99)
        refused.append(error.value.job_id)

    added = await queue.add("task")
    worker = Worker(queue_name, in_threads(function, threads=1), redis_url, lock_duration=0.6)
    async with worker:
        await until(started.is_set, what="the function to start")
        await worker.pause(wait_for_active=False)  # nobody is to start it again
        await queue.recover_crashed(worker.consumer)
        await until(lambda: bool(refused), what="the function to end")
    assert refused == [added.id]
