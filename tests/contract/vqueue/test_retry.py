"""Retrying by hand: one job or many that have ended go back to the line."""

import pytest

from tests.support.driver import Driver, ids, settle
from tests.support.workers import ended
from vqueue import InvalidOption, Job, JobNotFound, JobNotInState, JobState, Queue, Worker


async def put_end(driver: Driver, *job_ids: str, end: str = "failed", place: str = "0") -> None:
    """Add jobs, take them and let them end."""
    await driver.add(*job_ids, place=place, options=b'{"attempts":3}')
    for job in (await driver.take(len(job_ids))).jobs:
        await driver.scripts.log(
            consumer="w1", keep=9, lines=[(job.id.decode(), job.token, 1, "a line")]
        )
        await driver.finish(settle(job, end))


async def test_a_retried_job_keeps_its_priority(driver: Driver, queue: Queue) -> None:
    await put_end(driver, "urgent", place="3")
    await driver.add("equal", place="3")
    await driver.add("less", place="4")
    await queue.retry("urgent")
    assert await driver.state("urgent") == "prioritized"
    assert ids(await driver.take(3)) == ["equal", "urgent", "less"]


async def test_a_job_out_of_attempts_gets_one_more_or_all_of_them(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    runs = 0

    async def handler(job: Job) -> None:
        nonlocal runs
        runs += 1
        raise RuntimeError

    job = await queue.add("task", attempts=2)
    async with Worker(queue_name, handler, redis_url):
        await ended(queue, job.id)
        await queue.retry(job.id)
        await ended(queue, job.id)
        assert runs == 3
        await queue.retry(job.id, reset_attempts_made=True)
        await ended(queue, job.id)
        assert runs == 5


@pytest.mark.parametrize("state", ["waiting", "active", "completed"])
async def test_only_a_job_in_the_state_that_is_named_is_retried(
    driver: Driver, queue: Queue, state: str
) -> None:
    if state == "completed":
        await put_end(driver, "job", end=state)
    else:
        await driver.add("job")
        if state == "active":
            await driver.take_one()
    with pytest.raises(JobNotInState, match=f"it is {state}, and must be failed"):
        await queue.retry("job")
    assert await driver.state("job") == state


async def test_what_cannot_be_retried_is_named(queue: Queue) -> None:
    with pytest.raises(JobNotFound, match="retry of job nobody"):
        await queue.retry("nobody")
    with pytest.raises(InvalidOption, match="not delayed ones"):
        await queue.retry_jobs(JobState.DELAYED)


async def test_many_are_retried_in_the_order_of_their_ends(driver: Driver, queue: Queue) -> None:
    names = [f"job-{number:03}" for number in range(600)]
    for start in range(0, 600, 200):
        await driver.add(*names[start : start + 200])
        taken = (await driver.take(200)).jobs
        await driver.finish(*(settle(job, "failed") for job in taken))
    await put_end(driver, "done", end="completed")
    assert await queue.retry_jobs() == 600
    assert await queue.retry_jobs() == 0
    assert (await queue.get_job_counts())[JobState.COMPLETED] == 1
    assert [i for _ in range(3) for i in ids(await driver.take(200))] == names


async def test_many_are_retried_up_to_a_number_and_a_time(driver: Driver, queue: Queue) -> None:
    await put_end(driver, "a", "b", "c")
    dump = await driver.dump()
    times = sorted(dump.zsets["failed"].values())
    assert await queue.retry_jobs(count=2, before=times[0] / 1000 - 1) == 0
    assert await queue.retry_jobs(count=2) == 2
    assert ids(await driver.take(3)) == ["a", "b"]


async def test_many_keep_their_priorities(driver: Driver, queue: Queue) -> None:
    await put_end(driver, "p5", place="5")
    await put_end(driver, "p2", place="2")
    await put_end(driver, "plain")
    await queue.retry_jobs()
    assert ids(await driver.take(3)) == ["plain", "p2", "p5"]
