"""The list of workers, and what is kept of one whose job has stalled."""

import asyncio
import os
import threading

from tests.support.driver import Driver, expire
from tests.support.waiting import until
from tests.support.workers import HeldHandler, ended
from vqueue import Job, Queue, Worker, WorkerInfo


async def listed(queue: Queue, worker: Worker, *, active: int) -> WorkerInfo:
    """Wait until a worker says that it holds so many jobs."""
    found: list[WorkerInfo] = []

    async def says_so() -> bool:
        found[:] = [one for one in await queue.get_workers() if one.consumer == worker.consumer]
        return bool(found) and found[0].active == active

    await until(says_so, what=lambda: f"{active} active jobs: {found}")
    return found[0]


async def test_a_worker_tells_what_it_is_doing(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    handler = HeldHandler()
    added = await queue.add("task")
    async with Worker(queue_name, handler, redis_url, concurrency=3, lock_duration=9) as worker:
        info = await listed(queue, worker, active=1)
        (job,) = handler.started
        assert info.running == {added.id: job.processed_on}
        assert (info.concurrency, info.lock_duration, info.pid) == (3, 9, os.getpid())
        assert not info.is_paused
        assert info.silent_for < 45
        handler.let_go.set()
        assert (await listed(queue, worker, active=0)).running == {}
    assert await queue.get_workers() == []


async def test_a_job_names_the_worker_that_runs_it(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    handler = HeldHandler()
    added = await queue.add("task")
    async with Worker(queue_name, handler, redis_url) as worker:
        await handler.running(1)
        found = await queue.get_job(added.id)
        assert found is not None
        assert found.consumer == handler.started[0].consumer == worker.consumer
        handler.let_go.set()


async def test_a_loop_that_stands_still_is_told_while_it_does(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    async def watch() -> None:
        async with Queue(queue_name, redis_url) as other:

            async def is_late() -> bool:
                return any(worker.loop_lag > 0.3 for worker in await other.get_workers())

            await until(is_late, what="the worker to say that its loop stands still")

    async def handler(_: Job) -> str:
        thread = threading.Thread(target=lambda: asyncio.run(watch()))
        thread.start()
        thread.join()  # the worker's event loop stands still
        return "done"

    added = await queue.add("task")
    async with Worker(queue_name, handler, redis_url):
        (job,) = await ended(queue, added.id)
    assert job.returnvalue == "done"


async def test_a_stalled_job_tells_who_had_it_and_which_limit_it_was(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    handler = HeldHandler()
    added = await queue.add("task")
    async with Worker(queue_name, handler, redis_url, lock_duration=60) as worker:
        info = await listed(queue, worker, active=1)
        assert (await driver.sweep(dead=worker.consumer))[0] == 1
        await worker.close(0)
    job = await queue.get_job(added.id)
    assert job is not None
    assert job.last_stall is not None
    assert (job.stalled_count, job.last_stall.limit) == (1, "worker_death")
    assert (job.last_stall.consumer, job.last_stall.pid) == (worker.consumer, os.getpid())
    assert (job.last_stall.lock_duration, job.last_stall.host) == (60, info.host)
    assert job.last_stall.last_heartbeat is not None
    assert info.last_heartbeat <= job.last_stall.last_heartbeat <= job.last_stall.at
    assert job.last_stall.loop_lag is not None


async def test_a_stall_of_a_worker_that_never_spoke_is_told_too(
    queue: Queue, driver: Driver
) -> None:
    await driver.add("job", "own", options=b'{"lock_duration":250}')
    await driver.add("plain")
    for job in (await driver.take(3)).jobs:
        await expire(driver, job.token)
    assert (await driver.sweep())[0] == 3
    jobs = await queue.get_jobs(["own", "plain"])
    stalls = [job.last_stall for job in jobs if job is not None]
    assert [stall and stall.lock_duration for stall in stalls] == [0.25, None]
    assert {stall and stall.limit for stall in stalls} == {"lock_duration"}
    assert {stall and (stall.consumer, stall.host) for stall in stalls} == {("w1", None)}


async def test_a_job_that_failed_by_stalling_keeps_why(queue: Queue, driver: Driver) -> None:
    await driver.add("job")
    await driver.take_one()
    assert (await driver.sweep(dead="w1", max_stalled=0))[1] == 1
    job = await queue.get_job("job")
    assert job is not None
    assert job.state == "failed"
    assert job.last_stall is not None
    assert job.last_stall.limit == "worker_death"
