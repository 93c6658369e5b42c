"""Worker.close: running jobs are waited for, or handed back unspent."""

import asyncio
from typing import Any

import pytest

from tests.support.driver import Driver
from tests.support.waiting import until
from tests.support.workers import HeldHandler, ended, jobs_in
from vqueue import Job, JobOptions, JobState, NewJob, Queue, Worker
from vqueue.scripts import Taken


def start(worker: Worker) -> asyncio.Task[None]:
    """Run a worker in the background."""
    return asyncio.create_task(worker.run())


async def test_close_ends_an_idle_worker_at_once(redis_url: str, queue_name: str) -> None:
    worker = Worker(queue_name, HeldHandler(), redis_url)
    running = start(worker)
    await until(lambda: worker._wake_key.is_slept_on, what="the worker to sleep")
    await worker.close()
    await running
    await worker.close()  # safe to repeat


async def test_close_with_a_timeout_hands_jobs_back_for_another_worker(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    handler, other = HeldHandler(), HeldHandler()
    for name in ("first", "second"):
        await queue.add("task", job_id=name)
    worker = Worker(queue_name, handler, redis_url, concurrency=2)
    running = start(worker)
    await handler.running(2)
    await queue.add("task", job_id="third")
    async with Worker(queue_name, other, redis_url, concurrency=2):
        await other.running(1)  # the third one
        await worker.close(timeout=0.05)
        await running
        assert len(handler.cancelled) == 2
        await other.running(2)
        other.let_go.set()
        jobs = await ended(queue, "first", "second", "third")

    assert [job.id for job in other.started] == ["third", "first", "second"]
    assert {(job.state.value, job.attempts_made, job.attempts_started) for job in jobs} == {
        ("completed", 1, 1)
    }
    assert {job.stalled_count for job in jobs} == {0}
    assert [job.attempts_started for job in other.started] == [1, 1, 1]
    assert (await driver.history("first"))[2:] == ["active", "waiting", "active", "completed"]


async def test_a_cleanup_that_fails_spends_no_attempt(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    started = asyncio.Event()

    async def handler(_: Job) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            raise OSError("cannot remove the scratch folder")

    added = await queue.add("task")
    worker = Worker(queue_name, handler, redis_url)
    running = start(worker)
    await started.wait()
    await worker.close(0)
    await running
    (job,) = await jobs_in(queue, added.id, states={JobState.WAITING})
    assert (job.attempts_made, job.attempts_started, job.failed_reason) == (0, 0, None)


async def test_a_handler_that_ends_in_spite_of_the_cancellation_has_its_result_kept(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    started = asyncio.Event()

    async def handler(_: Job) -> str:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "just in time"
        return "never"

    added = await queue.add("task")
    worker = Worker(queue_name, handler, redis_url)
    running = start(worker)
    await started.wait()
    await worker.close(0)
    await running
    job = await queue.get_job(added.id)
    assert job is not None
    assert (job.state, job.returnvalue) == ("completed", "just in time")


async def test_a_job_that_comes_after_the_time_for_closing_goes_back(
    queue: Queue, redis_url: str, queue_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrived, let_through = asyncio.Event(), asyncio.Event()
    handler = HeldHandler()
    added = await queue.add("task")
    worker = Worker(queue_name, handler, redis_url)
    take = worker._scripts.take

    async def late(**how: Any) -> Taken:
        taken = await take(**how)
        arrived.set()
        await let_through.wait()
        return taken

    monkeypatch.setattr(worker._scripts, "take", late)
    running = start(worker)
    await arrived.wait()
    closing = asyncio.create_task(worker.close(0))
    await until(lambda: worker._settler.giving_up, what="the time for closing to be over")
    let_through.set()
    async with asyncio.timeout(15):
        await closing
        await running
    await jobs_in(queue, added.id, states={JobState.WAITING})
    assert handler.started == []


async def test_a_shorter_close_overtakes_one_that_waits(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    handler = HeldHandler()
    added = await queue.add("task")
    worker = Worker(queue_name, handler, redis_url)
    running = start(worker)
    await handler.running(1)
    waiting = asyncio.create_task(worker.close())
    await worker.close(0)
    await waiting
    await running
    await jobs_in(queue, added.id, states={JobState.WAITING})


async def test_a_cancelled_run_hands_its_jobs_back(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    handler = HeldHandler()
    added = await queue.add("task")
    running = start(Worker(queue_name, handler, redis_url))
    await handler.running(1)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert len(handler.cancelled) == 1
    job = await queue.get_job(added.id)
    assert job is not None
    assert (job.state, job.attempts_started) == ("waiting", 0)


async def test_a_cancelled_run_hands_many_jobs_back_in_their_order(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    handler = HeldHandler()
    names = [f"job-{number}" for number in range(1200)]
    await queue.add_bulk(NewJob(name="task", options=JobOptions(job_id=name)) for name in names)
    worker = Worker(queue_name, handler, redis_url, concurrency=2000)
    running = start(worker)
    await handler.running(1200)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    counts = await queue.get_job_counts()
    assert (counts[JobState.WAITING], counts[JobState.ACTIVE]) == (1200, 0)

    order: list[str] = []

    async def note(job: Job) -> None:
        order.append(job.id)

    async with Worker(queue_name, note, redis_url):
        await ended(queue, *names)
    assert order == names


async def test_an_error_in_the_callers_block_hands_jobs_back(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    handler = HeldHandler()
    added = await queue.add("task")

    async def fail_beside_the_worker() -> None:
        async with Worker(queue_name, handler, redis_url):
            await handler.running(1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail_beside_the_worker()
    job = await queue.get_job(added.id)
    assert job is not None
    assert job.state == "waiting"


async def test_a_priority_job_that_is_handed_back_keeps_its_place(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    handler = HeldHandler()
    for name in ("first", "second"):
        await queue.add("task", job_id=name, priority=4)
    worker = Worker(queue_name, handler, redis_url)
    running = start(worker)
    await handler.running(1)
    await worker.close(0)
    await running
    handler.let_go.set()
    async with Worker(queue_name, handler, redis_url):
        await ended(queue, "first", "second")
    assert [job.id for job in handler.started] == ["first", "first", "second"]


async def test_a_worker_closed_before_it_ran_does_not_run(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    added = await queue.add("task")
    worker = Worker(queue_name, HeldHandler(), redis_url)
    await worker.close()
    with pytest.raises(RuntimeError, match="runs once"):
        await worker.run()
    job = await queue.get_job(added.id)
    assert job is not None
    assert job.state == "waiting"


async def test_a_worker_runs_once(redis_url: str, queue_name: str) -> None:
    async with Worker(queue_name, HeldHandler(), redis_url) as worker:
        pass
    with pytest.raises(RuntimeError, match="runs once"):
        await worker.run()
