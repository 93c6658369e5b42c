"""Behaviours 1 to 6: adding."""

import asyncio
from typing import Any

import pytest

from tests.support.driver import Driver
from tests.support.workers import HeldHandler, ended
from vqueue import InvalidOption, Job, NewJob, Queue, Worker


async def _echo(job: Job) -> Any:
    return job.data


async def test_a_job_added_while_no_worker_runs_is_processed_once_one_starts(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    added = await queue.add("task", {"width": 640})
    async with Worker(queue_name, _echo, redis_url):
        (job,) = await ended(queue, added.id)
    assert (job.state, job.returnvalue, job.attempts_made) == ("completed", {"width": 640}, 1)


async def test_a_custom_id_that_is_added_twice_is_one_job_with_the_first_data(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    first = await queue.add("task", "first", job_id="invoice-7")
    second = await queue.add("task", "second", job_id="invoice-7")
    assert (first.is_duplicate, second.is_duplicate) == (False, True)
    async with Worker(queue_name, _echo, redis_url):
        (job,) = await ended(queue, "invoice-7")
    assert job.returnvalue == "first"
    assert (await driver.history("invoice-7")).count("duplicated") == 1
    assert (await driver.history("invoice-7")).count("active") == 1


async def test_a_bulk_add_keeps_all_workers_busy_and_its_order(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    handlers = [HeldHandler() for _ in range(3)]
    workers = [Worker(queue_name, handler, redis_url, concurrency=4) for handler in handlers]
    async with workers[0], workers[1], workers[2]:
        added = await queue.add_bulk(NewJob(name="task", data=number) for number in range(30))
        await asyncio.gather(*(handler.running(4) for handler in handlers))
        for handler in handlers:
            handler.let_go.set()
        jobs = await ended(queue, *(job.id for job in added))
    assert {job.state for job in jobs} == {"completed"}
    started = {job.fence or 0: job.id for handler in handlers for job in handler.started}
    # fences grow with each activation, whichever worker got it
    assert [started[fence] for fence in sorted(started)] == [job.id for job in added]


@pytest.mark.parametrize("job_id", ["123456789012345678901234567890", "9007199254740993", "0"])
async def test_a_numeric_id_stays_the_string_that_it_was(
    queue: Queue, redis_url: str, queue_name: str, job_id: str
) -> None:
    await queue.add("task", job_id=job_id)
    async with Worker(queue_name, _echo, redis_url):
        (job,) = await ended(queue, job_id)
    assert job.id == job_id


async def test_the_size_limit_counts_utf_8_bytes(queue: Queue) -> None:
    await queue.add("task", "é" * 4, size_limit=10)  # eight bytes and two quotes
    with pytest.raises(InvalidOption, match="11"):
        await queue.add("task", "é" * 4 + "x", size_limit=10)


@pytest.mark.parametrize(
    "data",
    [
        None,
        0,
        "",
        [],
        {},
        "\u2028 😀 \x00 \n",
        {"a": [{"b": [[], {"": None}]}] * 3},
        9007199254740991,
        [[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]],
        1.5e-300,
    ],
    ids=repr,
)
async def test_data_come_back_equal(
    queue: Queue, redis_url: str, queue_name: str, data: Any
) -> None:
    added = await queue.add("task", data)
    async with Worker(queue_name, _echo, redis_url):
        (job,) = await ended(queue, added.id)
    assert job.returnvalue == data
    assert job.data == data
