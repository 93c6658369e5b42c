"""Pause and resume, of a queue and of one worker."""

import asyncio

import pytest

from tests.support.driver import Driver
from tests.support.waiting import until
from tests.support.workers import HeldHandler, ended
from vqueue import Job, Queue, Worker
from vqueue.wake import WakeKey


async def names_of_the_queue(driver: Driver) -> list[str]:
    """The events that are of no job."""
    return [event.name for event in await driver.events() if not event.job_id]


async def test_pause_and_resume_tell_of_changes_only(queue: Queue, driver: Driver) -> None:
    await queue.resume()
    await queue.pause()
    await queue.pause()
    assert await queue.is_paused()
    await queue.resume()
    await queue.resume()
    assert not await queue.is_paused()
    assert await names_of_the_queue(driver) == ["paused", "resumed"]


async def test_resume_wakes_a_sleeping_worker(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    handler = HeldHandler()
    handler.let_go.set()
    async with Worker(queue_name, handler, redis_url) as worker:
        await queue.pause()
        added = await queue.add("task")
        await until(lambda: worker._wake_key.is_slept_on, what="the worker to sleep")
        assert handler.started == []
        await queue.resume()
        await ended(queue, added.id)


async def test_nothing_wakes_the_workers_of_a_paused_queue(queue: Queue, driver: Driver) -> None:
    await queue.add("task")
    await queue.pause()
    await queue.add("task")
    await queue.add("task", delay=60)
    assert await driver.redis("ZRANGE", driver.keys.wake, 0, -1) == []
    await queue.resume()
    assert await driver.redis("ZRANGE", driver.keys.wake, 0, -1) == [b"0"]


async def test_an_idle_worker_that_is_paused_gives_its_wake_up_on(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    held, other = HeldHandler(), HeldHandler()
    other.let_go.set()
    async with Worker(queue_name, held, redis_url) as worker:
        await until(lambda: worker._wake_key.is_slept_on, what="the worker to sleep")
        await worker.pause(wait_for_active=False)
        added = await queue.add("task")
        async with Worker(queue_name, other, redis_url):
            await ended(queue, added.id)
        assert held.started == []


async def test_a_paused_worker_closes(queue: Queue, redis_url: str, queue_name: str) -> None:
    await queue.add("task")
    worker = Worker(queue_name, HeldHandler(), redis_url)
    await worker.pause()
    async with worker:
        await worker.close()
    assert (await queue.get_job_counts())["waiting"] == 1


async def test_more_concurrency_takes_effect_at_once_and_less_when_jobs_end(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    running: set[str] = set()
    most = 0
    let_go = asyncio.Event()

    async def handler(job: Job) -> None:
        nonlocal most
        running.add(job.id)
        most = max(most, len(running))
        await let_go.wait()
        running.discard(job.id)

    jobs = [await queue.add("task") for _ in range(6)]
    async with Worker(queue_name, handler, redis_url) as worker:
        await until(lambda: len(running) == 1, what="one job to run")
        worker.concurrency = 4
        await until(lambda: len(running) == 4, what="four jobs to run")
        worker.concurrency = 1
        assert len(running) == 4
        most = 0
        let_go.set()
        await ended(queue, *(job.id for job in jobs))
    assert most == 1


async def test_a_wake_up_that_finds_no_free_slot_goes_on_to_another_worker(
    queue: Queue, redis_url: str, queue_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # nobody looks by himself
    monkeypatch.setattr("vqueue.wake.IDLE_BLOCK", 60.0)
    monkeypatch.setattr("vqueue.fetching.IDLE_BLOCK", 60.0)
    monkeypatch.setitem(WakeKey.sleep.__kwdefaults__, "longest", 60.0)
    busy, other = HeldHandler(), HeldHandler()
    async with Worker(queue_name, busy, redis_url, concurrency=2) as first:
        await queue.add("task")
        await busy.running(1)
        await until(lambda: first._wake_key.is_slept_on, what="the first worker to sleep")
        async with Worker(queue_name, other, redis_url) as second:
            await until(lambda: second._wake_key.is_slept_on, what="the second worker to sleep")
            # as if a finish had filled the free slot while the fetcher slept
            first._holdings.concurrency = 1
            await queue.add("task")
            await other.running(1)
            busy.let_go.set()
            other.let_go.set()


async def test_a_sleeping_worker_that_runs_a_job_has_no_take_on_its_way(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    # its event loop may stand still: jobs would be handed to it that others could run
    handler = HeldHandler()
    await queue.add("task")
    async with Worker(queue_name, handler, redis_url, concurrency=2) as worker:
        await handler.running(1)
        await until(lambda: worker._wake_key.is_slept_on, what="the worker to sleep")
        assert worker._holdings.free_slots == 1
        handler.let_go.set()


async def test_a_job_starts_before_its_worker_goes_back_to_sleep(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    slept: list[bool] = []

    async def handler(job: Job) -> None:
        slept.append(worker._wake_key.is_slept_on)

    async with Worker(queue_name, handler, redis_url, concurrency=2) as worker:
        await until(lambda: worker._wake_key.is_slept_on, what="the worker to sleep")
        added = await queue.add("task")
        await ended(queue, added.id)
    assert slept == [False]


async def test_a_sleep_can_be_ended_twice(queue: Queue, redis_url: str, queue_name: str) -> None:
    del queue
    async with Worker(queue_name, HeldHandler(), redis_url) as worker:
        await until(lambda: worker._wake_key.is_slept_on, what="the worker to sleep")
        for concurrency in range(2, 8):
            worker.concurrency = concurrency
            await asyncio.sleep(0)


async def test_a_pause_after_an_idle_worker_was_cancelled_returns(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    del queue
    worker = Worker(queue_name, HeldHandler(), redis_url)
    running = asyncio.create_task(worker.run())
    await until(lambda: worker._holdings.ahead.is_sent, what="a take behind its sleep")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    async with asyncio.timeout(15):
        await worker.pause()


async def test_a_pause_ends_when_the_worker_is_cancelled(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    handler = HeldHandler()
    await queue.add("task")
    worker = Worker(queue_name, handler, redis_url)
    running = asyncio.create_task(worker.run())
    await handler.running(1)
    pausing = asyncio.create_task(worker.pause())
    await until(lambda: worker.is_paused, what="the pause to begin")
    running.cancel()
    async with asyncio.timeout(15):
        await pausing
    with pytest.raises(asyncio.CancelledError):
        await running
