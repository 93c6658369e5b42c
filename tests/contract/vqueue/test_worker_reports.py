"""Worker: progress is coalesced, log lines are kept, both only for a running job."""

import asyncio
from typing import Any

import pytest

from tests.support.driver import Driver
from tests.support.waiting import until
from tests.support.workers import ended
from vqueue import (
    InvalidOption,
    Job,
    JobNotActive,
    JobState,
    ManualWorker,
    Queue,
    Worker,
)


async def test_floods_of_progress_are_coalesced(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    spent = 0.0

    async def handler(job: Job) -> None:
        nonlocal spent
        loop = asyncio.get_running_loop()
        since = loop.time()
        for percent in range(1000):
            await job.update_progress(percent / 10)
            assert job.progress == percent / 10
            await asyncio.sleep(0)
        spent = loop.time() - since

    added = await queue.add("task")
    async with Worker(queue_name, handler, redis_url):
        (job,) = await ended(queue, added.id)
    assert job.progress == 99.9
    told = [event for event in await driver.events() if event.name in ("progress", "completed")]
    assert [event.name for event in told[-2:]] == ["progress", "completed"]
    assert told[-2].data == {"progress": 99.9}
    # four a second, the first one and the last one
    assert len(told) - 1 <= spent / 0.25 + 2


async def test_progress_leaves_while_the_job_runs(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    async def handler(job: Job) -> None:
        for percent in (1, 2, 3):
            await job.update_progress(percent)

            async def stored(percent: int = percent) -> bool:
                found = await queue.get_job(job.id)
                return found is not None and found.progress == percent

            await until(stored, what=f"progress {percent} to be stored")

    added = await queue.add("task")
    async with Worker(queue_name, handler, redis_url):
        (job,) = await ended(queue, added.id)
    assert (job.state, job.progress) == ("completed", 3)


async def test_progress_of_an_attempt_is_there_in_the_next(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    async def handler(job: Job) -> Any:
        if job.attempts_made == 0:
            await job.update_progress({"step": 2})
            raise ValueError
        return job.progress

    added = await queue.add("task", attempts=2)
    async with Worker(queue_name, handler, redis_url):
        (job,) = await ended(queue, added.id)
    assert job.returnvalue == {"step": 2}


async def test_progress_that_is_not_json_is_refused_at_the_call(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    async def handler(job: Job) -> None:
        with pytest.raises(InvalidOption, match="progress of job"):
            await job.update_progress(object())

    added = await queue.add("task")
    async with Worker(queue_name, handler, redis_url):
        (job,) = await ended(queue, added.id)
    assert (job.state, job.progress) == (JobState.COMPLETED, None)


async def test_a_handler_writes_the_log_of_its_job(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    async def handler(job: Job) -> None:
        await asyncio.gather(*(job.log(f"line {number}") for number in range(20)))

    added = await queue.add("task")
    async with Worker(queue_name, handler, redis_url, keep_logs=10):
        await ended(queue, added.id)
    assert await queue.get_job_logs(added.id) == [f"line {number}" for number in range(10, 20)]
    assert await queue.get_job_logs(added.id, start=2, end=3) == ["line 12", "line 13"]


async def test_reports_outside_a_handler_are_refused(queue: Queue) -> None:
    added = await queue.add("task")
    job = await queue.get_job(added.id)
    assert job is not None
    for made in (added, job):
        with pytest.raises(JobNotActive, match=added.id):
            await made.update_progress(1)
        with pytest.raises(JobNotActive, match=added.id):
            await made.log("line")


@pytest.mark.parametrize("setting", ["keep_logs", "keep_partials"])
async def test_less_than_one_line_or_result_cannot_be_kept(
    redis_url: str, queue_name: str, setting: str
) -> None:
    async def handler(_: Job) -> None:
        raise AssertionError("it is never run")

    for settings in ({setting: 0}, {setting: -1}):
        with pytest.raises(InvalidOption, match=f"{setting} must be an integer of at least 1"):
            Worker(queue_name, handler, redis_url, **settings)
        with pytest.raises(InvalidOption, match=f"{setting} must be an integer of at least 1"):
            ManualWorker(queue_name, redis_url, **settings)
