"""drained: told once, and only then."""

import pytest

from tests.support.driver import Driver, settle
from vqueue import Queue


async def drained(driver: Driver) -> int:
    """How often the queue was drained."""
    return [event.name for event in await driver.events()].count("drained")


@pytest.mark.parametrize("outcome", ["completed", "failed"])
async def test_the_end_of_the_last_job_drains_the_queue(driver: Driver, outcome: str) -> None:
    await driver.add("a", "b")
    first, second = (await driver.take(2)).jobs
    await driver.finish(settle(first, outcome), want=2)
    assert await drained(driver) == 0  # the other one runs
    await driver.add("c")
    reply = await driver.finish(settle(second, outcome), want=2)
    assert await drained(driver) == 0  # it has taken the next one
    await driver.finish(*map(settle, reply.taken.jobs), want=2)
    assert await drained(driver) == 1


async def test_delayed_jobs_do_not_keep_a_queue_from_being_drained(driver: Driver) -> None:
    await driver.add("later", delay_ms=60_000)
    await driver.add("now")
    await driver.finish(settle(await driver.take_one()), want=1)
    assert await drained(driver) == 1


async def test_a_job_that_comes_back_does_not_drain_the_queue(driver: Driver) -> None:
    await driver.add("job")
    await driver.finish(settle(await driver.take_one(), "waiting"), want=0)
    assert await drained(driver) == 0
    await driver.finish(settle(await driver.take_one(), "delayed", rule="60000"), want=1)
    assert await drained(driver) == 0


async def test_a_job_in_the_line_of_a_group_keeps_a_queue_from_being_drained(
    queue: Queue, driver: Driver
) -> None:
    await queue.pause_group("g")
    await queue.add("task", group="g")
    await driver.add("ends", "stalls")
    await driver.finish(settle(await driver.take_one()), want=0)
    await driver.take_one()
    await driver.sweep(dead="w1", max_stalled=0)
    assert await drained(driver) == 0
    await queue.resume_group("g")
    await driver.finish(settle(await driver.take_one()), want=1)
    assert await drained(driver) == 1


async def test_the_last_job_drains_the_queue_when_it_stalls_for_good(driver: Driver) -> None:
    await driver.add("a", "b")
    await driver.take_one()
    await driver.sweep(dead="w1", max_stalled=0)
    assert await drained(driver) == 0  # b waits
    await driver.take_one()
    await driver.sweep(dead="w1", max_stalled=1)
    assert await drained(driver) == 0  # b waits again
    await driver.take_one()
    await driver.sweep(dead="w1", max_stalled=1)
    assert await drained(driver) == 1


async def test_the_last_job_drains_the_queue_when_it_is_cancelled(
    queue: Queue, driver: Driver
) -> None:
    await driver.add("waiting", "running")
    await driver.add("delayed", delay_ms=60_000)
    job = await driver.take_one()
    await queue.cancel("running")
    assert await drained(driver) == 0  # the first one runs
    await queue.cancel(job.id.decode())
    await driver.scripts.release(consumer="w1", jobs=[(job.id.decode(), job.token)])
    assert await drained(driver) == 1
    await queue.cancel("delayed")
    assert await drained(driver) == 1  # it was drained before
