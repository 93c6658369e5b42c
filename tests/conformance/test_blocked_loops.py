"""Behaviour 29: handlers that block the event loop of their worker."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

import pytest

from tests.support.driver import Driver
from tests.support.waiting import until
from tests.support.workers import ended
from vqueue import Job, Queue, Worker

#: Seconds.
LEASE = 0.3


def block_for(work: Coroutine[Any, Any, None]) -> None:
    """Run something in another thread's event loop, while this one stands still."""
    thread = threading.Thread(target=asyncio.run, args=[work])
    thread.start()
    thread.join()


@pytest.mark.parametrize("max_loop_lag", [None, 60])
async def test_a_handler_that_blocks_the_event_loop_for_five_leases_is_not_stalled_and_seen(
    queue: Queue, redis_url: str, queue_name: str, max_loop_lag: float | None
) -> None:
    stalled: set[int] = set()
    lags: list[float] = []

    async def watch_five_leases() -> None:
        watcher = Driver(redis_url, queue_name)
        over_ms = await watcher.now_ms() + round(5000 * LEASE)

        async def are_over() -> bool:
            stalled.add((await watcher.sweep())[0])
            return await watcher.now_ms() > over_ms

        await until(are_over, what="five leases to pass")
        async with Queue(queue_name, redis_url) as other:
            (seen,) = await other.get_workers()
            lags.append(seen.loop_lag)
        await watcher.close()

    async def handler(_: Job) -> str:
        block_for(watch_five_leases())
        return "done"

    added = await queue.add("task")
    async with Worker(
        queue_name, handler, redis_url, lock_duration=LEASE, max_loop_lag=max_loop_lag
    ):
        (job,) = await ended(queue, added.id)
    assert stalled == {0}
    assert (job.returnvalue, job.stalled_count, job.attempts_started) == ("done", 0, 1)
    # it is told with each heartbeat, which come three times in a lease
    assert lags[0] > 3 * LEASE


async def test_jobs_of_a_loop_that_stands_still_too_long_are_taken_over_once(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    cancelled = asyncio.Event()

    async def quick(_: Job) -> str:
        return "second"

    async def take_over(job_id: str) -> None:
        async with (
            Queue(queue_name, redis_url) as other,
            Worker(queue_name, quick, redis_url, lock_duration=LEASE, consumer="second"),
        ):
            await other.result(job_id, timeout=20)

    async def blocking(job: Job) -> str:
        block_for(take_over(job.id))
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return "first"

    added = await queue.add("task")
    async with Worker(
        queue_name, blocking, redis_url, lock_duration=LEASE, max_loop_lag=0.2, consumer="first"
    ):
        async with asyncio.timeout(20):
            await cancelled.wait()
        (job,) = await ended(queue, added.id)
    assert (job.returnvalue, job.consumer, job.stalled_count) == ("second", "second", 1)
    assert job.last_stall is not None
    assert (job.last_stall.limit, job.last_stall.consumer) == ("max_loop_lag", "first")
    assert job.last_stall.loop_lag is not None
    assert job.last_stall.loop_lag > 0.2
    history = await driver.history(added.id)
    assert (history.count("stalled"), history.count("completed")) == (1, 1)
