"""sweep: jobs of silent and dead workers go back to the front, or fail at the limit."""

import asyncio
from pathlib import Path

import pytest
from redis.exceptions import ResponseError

from devstack import Valkey
from tests.support.driver import (
    KEEP_ALL,
    LONG_MS,
    SHORT_MS,
    Driver,
    expire,
    fsync_always,
    ids,
    settle,
)
from tests.support.waiting import until
from vqueue import Queue, Retention
from vqueue.duties import Sweep
from vqueue.record import Record
from vqueue.script_calls import load_script
from vqueue.stall import read_stall


async def test_a_job_whose_lease_ran_out_goes_to_the_front(driver: Driver) -> None:
    await driver.scripts.open(lease_ms=SHORT_MS)
    await driver.add("stalled", "next")
    await driver.take_one(lease_ms=SHORT_MS)

    async def recovered() -> bool:
        return (await driver.sweep())[0] == 1

    await until(recovered, what="the lease to run out")
    again = await driver.take(2, consumer="w2")
    assert ids(again) == ["stalled", "next"]
    record = Record.parse(again.jobs[0].record)
    assert record.history[1:4] == (0, 1, 1)
    assert (await driver.history("stalled"))[2:] == ["active", "stalled", "waiting", "active"]


async def test_a_job_within_its_lease_is_left_alone(driver: Driver) -> None:
    await driver.scripts.open(lease_ms=LONG_MS)
    await driver.add("job")
    await driver.take_one()
    assert await driver.sweep() == (0, 0, False)
    assert await driver.state("job") == "active"


async def test_a_stalled_priority_job_keeps_its_priority(driver: Driver) -> None:
    await driver.scripts.open(lease_ms=LONG_MS)
    await driver.add("stalled", "other", place="5")
    await expire(driver, (await driver.take_one()).token)
    await driver.sweep()
    await driver.add("urgent", place="4")
    assert ids(await driver.take(3)) == ["urgent", "stalled", "other"]


async def test_above_the_limit_a_job_fails_with_the_reason(driver: Driver, queue: Queue) -> None:
    await driver.scripts.open(lease_ms=LONG_MS)
    await driver.add("job")
    for result in ((1, 0, False), (1, 0, False), (0, 1, False)):
        await expire(driver, (await driver.take_one()).token)
        assert await driver.sweep(max_stalled=2) == result
    job = await queue.get_job("job")
    assert job is not None
    assert job.state == "failed"
    assert job.failed_reason == "job stalled more than allowable limit"
    assert (job.stalled_count, job.attempts_started, job.attempts_made) == (3, 3, 0)
    assert (await driver.history("job"))[-2:] == ["stalled", "failed"]


@pytest.mark.parametrize(("option", "limit", "state"), [(b"0", 5, "failed"), (b"3", 0, "waiting")])
async def test_the_jobs_own_limit_comes_first(
    driver: Driver, option: bytes, limit: int, state: str
) -> None:
    await driver.scripts.open(lease_ms=LONG_MS)
    await driver.add("job", options=b'{"max_stalled":' + option + b"}")
    await expire(driver, (await driver.take_one()).token)
    await driver.sweep(max_stalled=limit)
    assert await driver.state("job") == state


async def test_a_job_that_fails_by_stalling_follows_its_retention(driver: Driver) -> None:
    await driver.scripts.open(lease_ms=LONG_MS)
    await driver.add("removed", options=b'{"remove_on_fail":"0 -1"}')
    await driver.add("kept-1", "kept-2", options=b'{"remove_on_fail":"1 -1"}')
    for _ in range(3):
        await expire(driver, (await driver.take_one()).token)
        assert await driver.sweep(max_stalled=0) == (0, 1, False)
    states = [await driver.state(job_id) for job_id in ("removed", "kept-1", "kept-2")]
    assert states == [None, None, "failed"]
    assert await driver.add("removed") == [0]


async def test_each_lease_is_judged_by_its_own_length(driver: Driver) -> None:
    await driver.scripts.open(lease_ms=LONG_MS)
    await driver.scripts.open(lease_ms=SHORT_MS)  # the longest one stays
    await driver.add("long", "short")
    await driver.take_one(consumer="w1", lease_ms=LONG_MS)
    short = await driver.take_one(consumer="w2", lease_ms=SHORT_MS)

    async def one_recovered() -> bool:
        return (await driver.sweep())[0] == 1

    await until(one_recovered, what="the short lease to run out")
    assert (await driver.state("long"), await driver.state("short")) == ("active", "waiting")
    assert short.id == b"short"


async def test_a_renewed_short_lease_is_short_again(driver: Driver) -> None:
    await driver.scripts.open(lease_ms=LONG_MS)
    await driver.add("job")
    job = await driver.take_one(lease_ms=SHORT_MS)
    await driver.scripts.heartbeat(consumer="w1", lease_ms=SHORT_MS, tokens=[job.token])

    async def recovered() -> bool:
        return (await driver.sweep())[0] == 1

    await until(recovered, what="the renewed lease to run out")


async def test_a_worker_seen_to_die_loses_its_jobs_at_once(driver: Driver, queue: Queue) -> None:
    await driver.scripts.open(lease_ms=LONG_MS)
    await driver.add(*(f"job-{number:03}" for number in range(230)))
    await driver.add("urgent", place="1")
    dead = await driver.take(200, consumer="dead")
    await driver.take(30, consumer="alive")
    await driver.take(1, consumer="dead")

    assert await queue.recover_crashed("dead") == (201, 0)
    assert await queue.recover_crashed("dead") == (0, 0)
    # waiting, prioritized, active: the urgent one goes back to the front of its priority
    counts = await driver.scripts.counts()
    assert (counts[0], counts[1], counts[3]) == (200, 1, 30)
    assert set(ids(await driver.take(200, consumer="other"))) == set(ids(dead))


async def test_a_crash_above_the_limit_fails_the_job(driver: Driver, queue: Queue) -> None:
    await driver.scripts.open(lease_ms=LONG_MS)
    await driver.add("job")
    await driver.take_one(consumer="dead")
    assert await queue.recover_crashed("dead", max_stalled=0, remove_on_fail=Retention()) == (0, 1)
    assert await driver.state("job") == "failed"


async def test_all_stalled_jobs_are_found_in_one_run_however_many_are_active(
    driver: Driver, caplog: pytest.LogCaptureFixture
) -> None:
    await driver.scripts.open(lease_ms=LONG_MS)
    # more than two calls look at in a lane, with the stalled ones behind those that run
    tokens = []
    for first in range(0, 2250, 250):
        await driver.add(*(f"job-{number}" for number in range(first, first + 250)))
        tokens += [job.token for job in (await driver.take(250)).jobs]
    await driver.add(*(f"urgent-{number}" for number in range(150)), place="1")
    tokens += [job.token for job in (await driver.take(150)).jobs]
    for token in tokens[2000:]:
        await expire(driver, token)
    step = await driver.scripts.sweep(max_stalled=1, keep=KEEP_ALL)
    assert (step.recovered, bool(step.cursor)) == (0, True)
    sweep = Sweep(driver.scripts, interval=60, max_stalled=1, keep=KEEP_ALL)
    await sweep.run_once()
    assert "400 stalled jobs went back to the line" in caplog.text
    again = [job.id for _ in range(2) for job in (await driver.take(250)).jobs]
    assert len(again) == 400


async def test_one_call_recovers_at_most_a_hundred_jobs(driver: Driver) -> None:
    await driver.scripts.open(lease_ms=LONG_MS)
    await driver.add(*(f"job-{number}" for number in range(150)))
    await driver.add(*(f"urgent-{number}" for number in range(70)), place="1")
    for job in (await driver.take(220)).jobs:
        await expire(driver, job.token)
    recovered, cursor = [], ""
    while not recovered or cursor:
        step = await driver.scripts.sweep(max_stalled=1, keep=KEEP_ALL, cursor=cursor)
        recovered.append(step.recovered)
        cursor = step.cursor
    assert recovered == [100, 100, 20]


async def test_an_entry_that_is_gone_from_the_stream_is_held_by_nobody(driver: Driver) -> None:
    await driver.scripts.open(lease_ms=LONG_MS)
    await driver.add("job")
    token = (await driver.take_one()).token
    await expire(driver, token)
    await driver.redis("XDEL", driver.keys.ready, token)
    assert await driver.sweep() == (0, 0, False)
    assert (await driver.redis("XPENDING", driver.keys.ready, "workers"))[0] == 0
    await driver.wipe()  # the job is in no place


@pytest.mark.parametrize(
    ("outcome", "rule", "broken"), [("delayed", "60000", "delayed"), ("waiting", "", "prioritized")]
)
async def test_a_job_whose_retry_broke_off_before_it_stood_anywhere_is_found(
    driver: Driver, outcome: str, rule: str, broken: str
) -> None:
    await driver.scripts.open(lease_ms=LONG_MS)
    await driver.add("job", place="5")
    job = await driver.take_one()
    key = driver.keys.prefix + broken
    await driver.redis("SET", key, "of another type")
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        await driver.finish(settle(job, outcome, rule=rule))
    await driver.redis("DEL", key)
    await expire(driver, job.token)
    await driver.sweep()
    again = await driver.take_one()
    assert again.id == b"job"
    assert Record.parse(again.record).history.made == 1
    await driver.check()


async def test_a_finish_that_broke_off_is_put_right(driver: Driver) -> None:
    await driver.scripts.open(lease_ms=LONG_MS)
    await driver.add("job")
    job = await driver.take_one()
    await driver.finish(settle(job))
    # as a server that died between the record and the rest would leave it
    await driver.wipe()
    await driver.scripts.open(lease_ms=LONG_MS)
    await driver.add("job")
    job = await driver.take_one()
    await driver.redis("SET", driver.keys.job("job"), settle(job).record)
    await expire(driver, job.token)
    assert await driver.sweep() == (0, 0, False)
    assert await driver.state("job") == "completed"
    assert (await driver.dump()).zsets["completed"].keys() == {"job"}
    await driver.wipe()  # its completed event was never written


async def test_the_sweep_of_a_queue_that_nobody_opened_does_nothing(driver: Driver) -> None:
    assert await driver.sweep() == (0, 0, False)


async def test_after_a_restart_live_workers_get_one_lease_to_renew(
    tmp_path: Path, queue_name: str
) -> None:
    with Valkey(tmp_path) as server:
        url = server.settings()["REDIS_URL"]
        await fsync_always(url)
        driver = Driver(url, queue_name)
        await driver.scripts.open(lease_ms=SHORT_MS)
        await driver.add("job")
        job = await driver.take_one(lease_ms=SHORT_MS)
        assert await driver.sweep() == (0, 0, False)

        async def spent() -> bool:
            pending = await driver.redis(
                "XPENDING", driver.keys.ready, "workers", job.token, job.token, 1
            )
            return int(pending[0][2]) > SHORT_MS

        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        await until(spent, what="the lease to be over")
        assert await driver.sweep() == (0, 0, False), "judged before it could renew"
        lost = (
            await driver.scripts.heartbeat(consumer="w1", lease_ms=SHORT_MS, tokens=[job.token])
        ).lost
        assert lost == []

        async def recovered() -> bool:
            return (await driver.sweep())[0] == 1

        await until(recovered, what="the sweep to judge again")
        await driver.check(idle=True)
        await driver.close()


async def test_the_jobs_of_a_dead_worker_come_back_in_their_order(driver: Driver) -> None:
    await driver.add("first", "second", "third")
    await driver.take(3, consumer="dead")
    await driver.sweep(dead="dead")
    assert ids(await driver.take(3)) == ["first", "second", "third"]


async def test_a_stalled_job_is_recovered_whoever_held_it(driver: Driver) -> None:
    """A server whose clock goes on inside a script claims more than the script has listed."""
    await driver.scripts.open(lease_ms=LONG_MS)
    await driver.add("job")
    await expire(driver, (await driver.take_one()).token)
    text = load_script("sweep").text
    unlisted = text.replace("holders[entry[1]]", "nil")
    assert unlisted != text
    keys = driver.keys.fixed
    reply = await driver.redis("EVAL", unlisted, len(keys), *keys, 1, KEEP_ALL, "", "")
    assert reply[1] == 1
    assert await driver.history("job") == ["added", "waiting", "active", "stalled", "waiting"]
    snapshot = await driver.snapshot("job")
    assert snapshot is not None
    stall = read_stall(snapshot.stall)
    assert (stall.limit, stall.consumer) == ("lock_duration", None)


async def test_a_long_lease_does_not_put_off_recovery_after_a_restart(driver: Driver) -> None:
    await driver.scripts.open(lease_ms=LONG_MS)
    await driver.sweep()
    await driver.redis("HSET", driver.keys.meta, "run_id", "0", "lease", 3_600_000)
    before = await driver.now_ms()
    await driver.sweep()
    after = int(await driver.redis("HGET", driver.keys.meta, "sweep_after"))
    assert before + 30_000 <= after <= await driver.now_ms() + 30_000
