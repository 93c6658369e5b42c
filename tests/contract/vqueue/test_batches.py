"""Batches: many jobs in one call, each with its own end."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from tests.support.waiting import until
from tests.support.workers import ended, jobs_in
from vqueue import InvalidOption, Job, JobState, NewJob, Queue, Worker, in_batches


async def many(queue: Queue, count: int, **options: Any) -> list[str]:
    """Add jobs with the data 0, 1, 2 …; return their ids."""
    defaults = queue.job_options(**options)
    added = await queue.add_bulk(
        [NewJob(name="task", data=n, options=defaults) for n in range(count)]
    )
    return [job.id for job in added]


async def test_jobs_that_are_ready_share_calls_of_the_size(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    sizes: list[int] = []

    async def handler(jobs: Sequence[Job]) -> list[int]:
        sizes.append(len(jobs))
        return [job.data * 2 for job in jobs]

    ids = await many(queue, 50)
    async with Worker(queue_name, in_batches(handler, size=20), redis_url, concurrency=40):
        jobs = await ended(queue, *ids)
    assert [job.returnvalue for job in jobs] == [n * 2 for n in range(50)]
    assert sizes[:2] == [20, 20]
    assert sum(sizes) == 50


async def test_an_error_among_the_results_fails_its_job_only(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    async def handler(jobs: Sequence[Job]) -> list[Any]:
        return [ValueError("odd") if job.data % 2 else job.data for job in jobs]

    ids = await many(queue, 4)
    async with Worker(queue_name, in_batches(handler, size=4), redis_url, concurrency=4):
        jobs = await ended(queue, *ids)
    assert [job.state for job in jobs] == ["completed", "failed", "completed", "failed"]
    assert [job.failed_reason for job in jobs] == [None, "odd", None, "odd"]


async def test_a_raised_error_fails_all_and_each_is_tried_again(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    calls: list[list[int]] = []

    async def handler(jobs: Sequence[Job]) -> None:
        calls.append([job.data for job in jobs])
        if len(calls) == 1:
            raise OSError("away")

    ids = await many(queue, 3, attempts=2)
    async with Worker(queue_name, in_batches(handler, size=3), redis_url, concurrency=3):
        jobs = await ended(queue, *ids)
    assert {(job.state.value, job.attempts_made) for job in jobs} == {("completed", 2)}
    assert calls[0] == [0, 1, 2]


async def test_results_that_are_not_one_for_each_fail_all(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    async def handler(_: Sequence[Job]) -> list[int]:
        return [1]

    ids = await many(queue, 2)
    async with Worker(queue_name, in_batches(handler, size=2), redis_url, concurrency=2):
        jobs = await ended(queue, *ids)
    assert {job.failed_reason and job.failed_reason[:47] for job in jobs} == {
        "a batch handler returned 1 results for 2 jobs: "
    }


async def test_a_batch_waits_for_its_least_size(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    sizes: list[int] = []

    async def handler(jobs: Sequence[Job]) -> None:
        sizes.append(len(jobs))

    ids = await many(queue, 2)
    batched = in_batches(handler, size=9, min_size=3, wait=60)
    async with Worker(queue_name, batched, redis_url, concurrency=9):
        await jobs_in(queue, *ids, states={JobState.ACTIVE})
        assert sizes == []
        ids += await many(queue, 1)
        await ended(queue, *ids)
    assert sizes == [3]


async def test_a_batch_that_stays_small_starts_when_its_wait_is_over(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    sizes: list[int] = []

    async def handler(jobs: Sequence[Job]) -> None:
        sizes.append(len(jobs))

    ids = await many(queue, 2)
    batched = in_batches(handler, size=9, min_size=3, wait=0.05)
    async with Worker(queue_name, batched, redis_url, concurrency=9):
        await ended(queue, *ids)
    assert sizes == [2]


async def test_a_cancelled_job_leaves_its_batch_and_the_last_one_cancels_it(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def handler(_: Sequence[Job]) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    first, second = await many(queue, 2)
    batched = in_batches(handler, size=2)
    async with Worker(queue_name, batched, redis_url, concurrency=2, lock_duration=0.6):
        await started.wait()
        await queue.cancel(first)
        await ended(queue, first)
        assert not cancelled.is_set()
        await queue.cancel(second)
        await ended(queue, second)
        await until(cancelled.is_set, what="the handler to be cancelled")


@pytest.mark.parametrize(
    "arguments", [{"size": 0}, {"size": 2, "min_size": 3}, {"size": 2, "min_size": 2}], ids=str
)
def test_sizes_that_cannot_be_are_refused(arguments: dict[str, int]) -> None:
    async def handler(_: Sequence[Job]) -> None:
        return None

    with pytest.raises(InvalidOption, match="batch"):
        in_batches(handler, **arguments)
