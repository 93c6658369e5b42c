"""What comes together in one call shares its time; the calls after it do the rest."""

from collections.abc import AsyncIterator

import pytest

from tests.support.driver import Driver, settle
from tests.support.flows import add_parents
from vqueue import JobOptions, NewJob, Queue, Repeat
from vqueue.record import TakenJob

_OLD, _PARENTS, _DUE, _SCHEDULERS = 300, 100, 60, 50
_EVICT_ALL = "10 0"


@pytest.fixture
async def letters(redis_url: str, queue_name: str) -> AsyncIterator[Driver]:
    """The queue of the dead letters."""
    driver = Driver(redis_url, f"{queue_name}-letters")
    yield driver
    await driver.wipe()
    await driver.close()


async def fill(driver: Driver, queue: Queue, letters: Driver) -> list[TakenJob]:
    """Have old jobs, delayed jobs and slots that are due; return 100 jobs to be ended, one of
    which has parents."""
    for start in range(0, _OLD, 100):
        await driver.add(*(f"old-{number}" for number in range(start, start + 100)))
        await driver.finish(*(settle(job, "failed") for job in (await driver.take(100)).jobs))
    await add_parents(driver.redis_url, driver.queue_name, "child", _PARENTS)
    buried = JobOptions(dead_letter=letters.queue_name)
    await queue.add_bulk([NewJob(name="x", options=buried)] * 99)
    taken = (await driver.take(100)).jobs
    for number in range(_SCHEDULERS):
        repeat = Repeat(every=3600, offset=number + 1, missed="all")
        await queue.upsert_job_scheduler(f"s{number}", repeat, NewJob(name="x"))
        key, slot = driver.keys.scheduler(f"s{number}"), await driver.now_ms()
        await driver.redis("HSET", key, "slot", slot, "anchor", slot)
        await driver.redis("ZADD", driver.keys.sched, slot, f"s{number}")
    await driver.redis("HSET", driver.keys.meta, "sched", await driver.now_ms())
    await driver.add(*(f"due-{number}" for number in range(_DUE)), delay_ms=1)
    await driver.pass_millisecond()
    await driver.pass_millisecond()
    return taken


async def left(driver: Driver) -> dict[str, int]:
    """What is still to be done."""
    counts = {
        "removals": await driver.redis("ZCOUNT", driver.keys.failed, "-inf", "+inf"),
        "promotions": await driver.redis("ZCARD", driver.keys.delayed),
        "slots": await driver.redis("ZCOUNT", driver.keys.sched, "-inf", await driver.now_ms()),
        "parents": await driver.redis("ZCARD", driver.keys.prefix + "children"),
    }
    return {what: int(count) for what, count in counts.items()}


async def test_a_call_in_which_all_comes_together_does_a_share_of_each(
    driver: Driver, queue: Queue, letters: Driver
) -> None:
    ending = await fill(driver, queue, letters)
    before = await left(driver)
    assert before == {
        "removals": _OLD,
        "promotions": _DUE,
        "slots": _SCHEDULERS,
        "parents": _PARENTS,
    }
    await driver.add(*(f"plain-{number}" for number in range(100)))
    settled = [settle(job, "failed", rule=f"{_EVICT_ALL} +!") for job in ending]
    assert len((await driver.finish(*settled, want=100)).taken.jobs) == 50
    assert await left(driver) == {
        "removals": _OLD + 100 - 25 + 10,  # of the parents a tenth have failed
        "promotions": _DUE - 10,
        "slots": _SCHEDULERS - 5,
        "parents": _PARENTS - 10,
    }
    assert len((await letters.take(250)).jobs) == 99
    await driver.scripts.tell_parents()
    while (await driver.take(0)).due_ms == 0:
        pass
    while await driver.scripts.retain(completed=_EVICT_ALL, failed=_EVICT_ALL):
        pass
    assert await left(driver) == {"removals": 0, "promotions": 0, "slots": 0, "parents": 0}


async def test_a_take_promotes_in_full_and_fires_what_it_has_time_for(
    driver: Driver, queue: Queue, letters: Driver
) -> None:
    await fill(driver, queue, letters)
    await driver.take(0)
    found = await left(driver)
    assert (found["promotions"], found["slots"]) == (0, _SCHEDULERS - 30)
