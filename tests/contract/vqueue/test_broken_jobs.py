"""Jobs broken from outside cost themselves only: the line, the sweep and the mirror go on."""

from collections.abc import AsyncIterator

import pytest

from tests.contract.vqueue.mirrored import Mirrored, mirrored
from tests.support.driver import SHORT_MS, Driver, expire, ids, settle

BROKEN = ["DEL", "SET", "HSET"]


async def break_job(driver: Driver, job_id: str, how: str) -> None:
    """Delete a job's record, or put something else in its place."""
    await driver.redis("DEL", driver.keys.job(job_id))
    if how == "SET":
        await driver.redis("SET", driver.keys.job(job_id), "not a record")
    if how == "HSET":
        await driver.redis("HSET", driver.keys.job(job_id), "not a", "record")


@pytest.mark.parametrize("how", BROKEN)
async def test_a_broken_waiting_job_is_dropped_and_the_next_is_taken(
    driver: Driver, how: str
) -> None:
    await driver.add("bad", "good")
    await break_job(driver, "bad", how)
    assert ids(await driver.take(2)) == ["good"]
    assert await driver.redis("XLEN", driver.keys.ready) == 1
    await driver.wipe()  # a job that vanished is what the invariants are there to find


@pytest.mark.parametrize("how", BROKEN)
@pytest.mark.parametrize("place", ["lifo", "5"])
async def test_a_broken_prioritized_job_is_dropped(driver: Driver, how: str, place: str) -> None:
    await driver.add("bad", "good", place=place)
    await break_job(driver, "bad", how)
    assert ids(await driver.take(2)) == ["good"]
    assert await driver.redis("ZCARD", driver.keys.prioritized) == 0
    await driver.wipe()  # a job that vanished is what the invariants are there to find


@pytest.mark.parametrize("how", BROKEN)
async def test_a_broken_delayed_job_is_dropped_when_it_is_due(driver: Driver, how: str) -> None:
    await driver.add("bad", "good", delay_ms=1)
    await break_job(driver, "bad", how)
    taken: list[str] = []
    while not taken:
        taken = ids(await driver.take(2))
    assert taken == ["good"]
    await driver.wipe()  # a job that vanished is what the invariants are there to find


@pytest.mark.parametrize("how", BROKEN)
async def test_a_broken_active_job_does_not_jam_the_sweep(driver: Driver, how: str) -> None:
    await driver.add("bad", "good")
    bad, good = (await driver.take(2)).jobs
    await break_job(driver, "bad", how)
    await expire(driver, bad.token)
    await expire(driver, good.token)
    assert (await driver.sweep())[:2] == (1, 0)
    assert ids(await driver.take(2)) == ["good"]
    await driver.wipe()  # a job that vanished is what the invariants are there to find


@pytest.mark.parametrize("how", BROKEN)
async def test_a_report_of_a_broken_job_is_refused_and_makes_no_key(
    driver: Driver, how: str
) -> None:
    await driver.add("bad")
    bad = await driver.take_one()
    await break_job(driver, "bad", how)
    assert await driver.scripts.progress(consumer="w1", jobs=[("bad", bad.token, b"1")]) == [0]
    line = ("bad", bad.token, 1, "text")
    assert await driver.scripts.log(consumer="w1", keep=10, lines=[line]) == [0]
    assert await driver.scripts.release(consumer="w1", jobs=[("bad", bad.token)]) == [0]
    assert await driver.redis("EXISTS", driver.keys.job("bad")) == (how != "DEL")
    assert await driver.redis("EXISTS", driver.keys.log("bad"), driver.keys.live("bad")) == 0
    assert await driver.redis("XLEN", driver.keys.ready) == 0
    await driver.wipe()  # a job that vanished is what the invariants are there to find


async def test_an_entry_whose_job_has_moved_on_is_dropped(driver: Driver) -> None:
    await driver.add("a")
    # what a repair that broke off between its two writes would leave
    older = await driver.redis("XADD", driver.keys.ready, "*", "j", "a")
    await driver.redis("HSET", driver.keys.meta, "ms", older.split(b"-")[0], "seq", 1000)
    taken = await driver.take(2)
    assert ids(taken) == ["a"]
    assert await driver.redis("XLEN", driver.keys.ready) == 1
    assert (await driver.finish(settle(taken.jobs[0]))).statuses == [1]


@pytest.fixture
async def pair(redis_url: str, queue_name: str, mongodb_uri: str) -> AsyncIterator[Mirrored]:
    async with mirrored(redis_url, queue_name, mongodb_uri) as pair:
        yield pair


@pytest.mark.parametrize("how", BROKEN)
async def test_a_broken_job_does_not_stop_the_mirror(pair: Mirrored, how: str) -> None:
    driver = pair.driver
    await driver.add("bad")
    await driver.take_one(lease_ms=SHORT_MS)
    await break_job(driver, "bad", how)
    pair.start()
    await driver.add("good")
    await pair.caught_up()
    assert await pair.status("good") == "queued"
    assert await driver.snapshot("bad") is None
    await driver.sweep(dead="w1")
    await driver.wipe()  # a job that vanished is what the invariants are there to find
