"""repair: jobs that a destroyed group or a wiped server left pending for nobody."""

import pytest

from tests.support.driver import LONG_MS, Driver, expire, ids, settle


async def repair_all(driver: Driver) -> int:
    """Repair until there is nothing more to look at; return how many jobs came back."""
    jobs, more = 0, True
    while more:
        found, more = await driver.scripts.repair()
        jobs += found
    return jobs


async def test_jobs_come_back_after_both_groups_were_destroyed(driver: Driver) -> None:
    await driver.scripts.open(lease_ms=LONG_MS)
    await driver.add("running-1", "running-2", "waiting-1", "waiting-2")
    await driver.add("front", place="lifo")
    await driver.add("urgent", place="3")
    late = await driver.take(3)
    assert ids(late) == ["front", "running-1", "running-2"]
    for lane in (driver.keys.ready, driver.keys.express):
        assert await driver.redis("XGROUP", "DESTROY", lane, "workers") == 1

    # the next take makes the groups again, and the next sweep sees that repair is needed
    taken = ids(await driver.take(1, consumer="w2"))
    assert (await driver.sweep())[2] is True
    await repair_all(driver)
    assert (await driver.sweep())[2] is False
    taken += ids(await driver.take(20, consumer="w2"))

    assert sorted(taken) == sorted(
        ["running-1", "running-2", "waiting-1", "waiting-2", "front", "urgent"]
    )
    assert (await driver.finish(*map(settle, late.jobs))).statuses == [0, 0, 0]


async def test_more_lost_entries_than_one_call_looks_at_all_come_back(driver: Driver) -> None:
    names = {f"job-{number}" for number in range(700)}
    for start in range(0, 700, 250):
        await driver.add(*sorted(names)[start : start + 250])
    await driver.take(250)
    await driver.redis("XGROUP", "DESTROY", driver.keys.ready, "workers")
    await driver.take(1)
    assert await repair_all(driver) == 700
    taken: list[str] = []
    while batch := ids(await driver.take(250)):
        taken += batch
    assert len(taken) == 700
    assert set(taken) == names


async def test_an_express_job_comes_back_to_the_front_of_its_priority(driver: Driver) -> None:
    await driver.add("first", "second", place="5")
    await driver.take_one()
    await driver.redis("XGROUP", "DESTROY", driver.keys.express, "workers")
    await driver.redis("XGROUP", "CREATE", driver.keys.express, "workers", "$")
    assert await repair_all(driver) == 1
    assert ids(await driver.take(2)) == ["first", "second"]


async def test_a_destroyed_consumer_loses_its_jobs_to_the_line(driver: Driver) -> None:
    await driver.add("a", "b")
    await driver.take(2)
    await driver.redis("XGROUP", "DELCONSUMER", driver.keys.ready, "workers", "w1")
    assert await repair_all(driver) == 2
    assert ids(await driver.take(2, consumer="w2")) == ["a", "b"]


async def test_repair_of_a_healthy_queue_changes_nothing(driver: Driver) -> None:
    await driver.add("running", "waiting")
    await driver.add("urgent", place="1")
    await driver.take_one()
    before = await driver.dump()
    assert await driver.scripts.repair() == (0, False)
    after = await driver.dump()
    assert after.streams == before.streams
    assert after.zsets == before.zsets


async def test_a_wiped_queue_takes_new_jobs(driver: Driver) -> None:
    await driver.scripts.open(lease_ms=LONG_MS)
    await driver.add("lost")
    late = await driver.take_one()
    await driver.wipe()

    lost = (
        await driver.scripts.heartbeat(consumer="w1", lease_ms=LONG_MS, tokens=[late.token])
    ).lost
    assert lost == [late.token]
    assert (await driver.finish(settle(late))).statuses == [0]
    await driver.add("new")
    job = await driver.take_one()
    assert job.id == b"new"
    assert (await driver.finish(settle(job))).statuses == [1]


async def test_fences_go_on_growing_when_the_clock_was_deleted(driver: Driver) -> None:
    await driver.add("a")
    before = await driver.take_one()
    await driver.redis("HSET", driver.keys.meta, "ms", 99_999_999_999_999, "seq", 7)
    await driver.add("b")
    await driver.redis("HDEL", driver.keys.meta, "ms", "seq")
    await driver.add("c")
    taken = await driver.take(2)
    assert ids(taken) == ["b", "c"]
    assert [job.token.split(b"-")[0] for job in taken.jobs] == [b"99999999999999"] * 2
    assert before.token < taken.jobs[0].token


@pytest.mark.parametrize("call", ["take", "heartbeat"])
async def test_a_sweep_works_after_meta_was_deleted_under_its_workers(
    driver: Driver, call: str
) -> None:
    await driver.scripts.open(lease_ms=LONG_MS)
    await driver.add("stalled", "other")
    job = await driver.take_one(consumer="dead")
    # no worker opens the queue again: those that run must make it whole
    await driver.redis("HDEL", driver.keys.meta, "lease")
    if call == "take":
        await driver.take_one()
    else:
        await driver.scripts.heartbeat(consumer="w1", lease_ms=LONG_MS, tokens=[])
    await expire(driver, job.token)
    assert await driver.sweep() == (1, 0, False)
