"""Worker(max_loop_lag=): what becomes of the jobs of one whose event loop stands still."""

import asyncio
import logging
import threading
from collections.abc import Coroutine
from typing import Any

import pytest

from tests.support.waiting import until
from tests.support.workers import ended
from vqueue import InvalidOption, Job, Queue, Worker


def block_for(work: Coroutine[Any, Any, None]) -> None:
    """Run something in another thread's event loop, while this one stands still."""
    thread = threading.Thread(target=asyncio.run, args=[work])
    thread.start()
    thread.join()


async def test_a_loop_that_moves_again_before_its_leases_run_out_keeps_its_jobs(
    queue: Queue, redis_url: str, queue_name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "vqueue.presence")

    def warned() -> bool:
        return [record.action for record in caplog.records if hasattr(record, "action")] == [
            "loop_stuck"
        ]

    async def until_warned() -> None:
        await until(warned, what="the worker to say that its loop is stuck")

    async def handler(_: Job) -> str:
        block_for(until_warned())
        return "done"

    added = await queue.add("task")
    async with Worker(queue_name, handler, redis_url, lock_duration=30, max_loop_lag=0.1):
        (job,) = await ended(queue, added.id)
    assert (job.returnvalue, job.stalled_count) == ("done", 0)


async def test_workers_tell_how_long_their_loops_may_stand_still(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    async def handler(_: Job) -> None:
        """Never called."""

    told: dict[str, float | None] = {}

    async def both_told() -> bool:
        told.update({one.consumer: one.max_loop_lag for one in await queue.get_workers()})
        return len(told) == 2

    async with (
        Worker(queue_name, handler, redis_url, max_loop_lag=2.5, consumer="limited"),
        Worker(queue_name, handler, redis_url, consumer="free"),
    ):
        await until(both_told, what=lambda: f"two workers: {told}")
    assert told == {"limited": 2.5, "free": None}


def test_a_limit_of_no_time_is_refused(redis_url: str, queue_name: str) -> None:
    async def handler(_: Job) -> None:
        """Never called."""

    with pytest.raises(InvalidOption, match="max_loop_lag"):
        Worker(queue_name, handler, redis_url, max_loop_lag=0)
