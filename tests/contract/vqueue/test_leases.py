"""heartbeat and release: leases renewed, lost, given back; adopt after a lost reply."""

from tests.support.driver import LONG_MS, SHORT_MS, Driver, ids, settle
from tests.support.waiting import until
from vqueue.record import Record


async def idle_ms(driver: Driver, token: bytes) -> int:
    """Milliseconds since an entry of `ready` was delivered or renewed."""
    pending = await driver.redis("XPENDING", driver.keys.ready, "workers", token, token, 1)
    return int(pending[0][2])


async def test_a_heartbeat_starts_the_lease_again(driver: Driver) -> None:
    await driver.scripts.open(lease_ms=LONG_MS)
    await driver.add("job")
    job = await driver.take_one()

    async def half_spent() -> bool:
        return await idle_ms(driver, job.token) >= 100

    await until(half_spent, what="the lease to be used")
    before = await idle_ms(driver, job.token)
    assert (
        await driver.scripts.heartbeat(consumer="w1", lease_ms=LONG_MS, tokens=[job.token])
    ).lost == []
    assert await idle_ms(driver, job.token) < before


async def test_a_renewed_job_is_not_stalled_when_its_first_lease_is_over(driver: Driver) -> None:
    await driver.scripts.open(lease_ms=SHORT_MS)
    await driver.add("renewed", "silent")
    renewed, _ = (await driver.take(2, lease_ms=SHORT_MS)).jobs

    async def other_is_stalled() -> bool:
        lost = (
            await driver.scripts.heartbeat(consumer="w1", lease_ms=SHORT_MS, tokens=[renewed.token])
        ).lost
        assert lost == []
        await driver.sweep()
        return await driver.state("silent") == "waiting"

    await until(other_is_stalled, what="the silent job to be stalled")
    assert await driver.state("renewed") == "active"


async def test_a_late_heartbeat_does_not_take_the_lease_back(driver: Driver) -> None:
    await driver.scripts.open(lease_ms=LONG_MS)
    await driver.add("plain")
    await driver.add("urgent", place="1")
    late = [job.token for job in (await driver.take(2, consumer="w1")).jobs]
    await driver.sweep(dead="w1")
    again = await driver.take(2, consumer="w2")
    assert sorted(ids(again)) == ["plain", "urgent"]

    lost = (await driver.scripts.heartbeat(consumer="w1", lease_ms=LONG_MS, tokens=late)).lost
    assert lost == late
    for job in again.jobs:
        assert (await driver.finish(settle(job), consumer="w2")).statuses == [1]


async def test_a_heartbeat_for_an_entry_of_another_consumer_is_refused(driver: Driver) -> None:
    await driver.add("job")
    job = await driver.take_one(consumer="w1")
    tokens = [job.token]
    assert (
        await driver.scripts.heartbeat(consumer="w2", lease_ms=LONG_MS, tokens=tokens)
    ).lost == tokens
    assert (await driver.finish(settle(job), consumer="w1")).statuses == [1]


async def test_released_jobs_stand_in_front_in_their_order(driver: Driver) -> None:
    await driver.add("a", "b", "c")
    jobs = (await driver.take(2)).jobs
    statuses = await driver.scripts.release(
        consumer="w1", jobs=[(job.id.decode(), job.token) for job in jobs]
    )
    assert statuses == [1, 1]
    again = await driver.take(3, consumer="w2")
    assert ids(again) == ["a", "b", "c"]
    # no attempt was counted
    record = Record.parse(again.jobs[0].record)
    assert record.history[1:4] == (0, 0, 0)


async def test_a_repeated_release_is_answered_done(driver: Driver) -> None:
    await driver.add("a", "b")
    jobs = [(job.id.decode(), job.token) for job in (await driver.take(2)).jobs]
    await driver.scripts.release(consumer="w1", jobs=jobs)
    history = await driver.history("a")
    assert await driver.scripts.release(consumer="w1", jobs=jobs) == [2, 2]
    assert await driver.history("a") == history


async def test_a_release_of_another_consumer_is_refused(driver: Driver) -> None:
    await driver.add("a")
    job = await driver.take_one()
    assert await driver.scripts.release(consumer="w2", jobs=[("a", job.token)]) == [0]
    assert await driver.state("a") == "active"


async def test_a_finish_after_a_release_is_answered_done(driver: Driver) -> None:
    await driver.add("a")
    job = await driver.take_one()
    await driver.scripts.release(consumer="w1", jobs=[("a", job.token)])
    assert (await driver.finish(settle(job))).statuses == [2]
    assert await driver.state("a") == "waiting"


async def test_a_release_without_jobs_wakes_another_worker(driver: Driver) -> None:
    await driver.add("a")
    await driver.redis("DEL", driver.keys.wake)
    await driver.scripts.release(consumer="w1", jobs=[])
    assert await driver.redis("ZCARD", driver.keys.wake) == 1


async def test_a_consumer_finds_the_jobs_of_a_lost_reply_again(driver: Driver) -> None:
    await driver.add("plain-1", "plain-2", "plain-3")
    await driver.add("front", place="lifo")
    known, *forgotten = (await driver.take(3)).jobs
    await driver.take(1, consumer="w2")
    found = await driver.scripts.adopt(consumer="w1", lease_ms=LONG_MS, known=[known.token])

    assert known.id == b"front"
    assert [(job.id, job.token) for job in found.jobs] == [(job.id, job.token) for job in forgotten]
    again = await driver.scripts.adopt(consumer="w1", lease_ms=LONG_MS, known=[])
    assert sorted(ids(again)) == ["front", "plain-1", "plain-2"]


async def test_adopting_renews_the_leases(driver: Driver) -> None:
    await driver.scripts.open(lease_ms=LONG_MS)
    await driver.add("job")
    job = await driver.take_one()
    await driver.redis(
        "XCLAIM", driver.keys.ready, "workers", "w1", 0, job.token, "IDLE", 50_000, "JUSTID"
    )
    await driver.scripts.adopt(consumer="w1", lease_ms=LONG_MS, known=[])
    assert await idle_ms(driver, job.token) < 50_000


async def test_adopting_without_a_group_finds_nothing(driver: Driver) -> None:
    found = await driver.scripts.adopt(consumer="w1", lease_ms=LONG_MS, known=[])
    assert found.jobs == []
