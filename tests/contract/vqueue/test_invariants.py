"""The proof of the invariants finds what it claims to find."""

import re

import pytest

from tests.support.driver import Driver, settle
from tests.support.invariants import InvariantViolation


async def every_state(driver: Driver) -> None:
    """Put one job, named after it, in each state, and a removed one beside them."""
    await driver.add("failed", "completed", "removed")
    first, second, third = (await driver.take(3)).jobs
    await driver.finish(
        settle(first, "failed"), settle(second), settle(third, rule="0 -1", progress=b"1")
    )
    await driver.add("active")
    await driver.add("front", place="lifo")
    await driver.add("express", place="lifo")
    express = await driver.take_one()
    await driver.scripts.log(consumer="w1", keep=9, lines=[("express", express.token, 1, "line")])
    await driver.add("prioritized", place="7")
    await driver.add("delayed", delay_ms=60_000)


async def test_a_queue_with_a_job_in_every_state_passes(driver: Driver) -> None:
    await every_state(driver)
    await driver.check()


async def test_a_name_without_any_key_passes(driver: Driver) -> None:
    await driver.check(idle=True)


async def test_a_pending_entry_is_named_when_nothing_should_run(driver: Driver) -> None:
    await every_state(driver)
    with pytest.raises(InvariantViolation, match=r"express: entry .* is pending for w1"):
        await driver.check(idle=True)


@pytest.mark.parametrize(
    ("command", "named"),
    [
        ("SET {p}stray 1", "key stray (string) is not in the queue's layout"),
        ("SET {p}ready:x 1", "key ready:x (string) is not in the queue's layout"),
        ("DEL {p}meta", "meta is missing"),
        ("DEL {p}j:active", "job active does not exist, and is waiting as entry"),
        ("DEL {p}j:delayed", "job delayed does not exist, and is delayed"),
        ("ZREM {p}prioritized prioritized", "job prioritized is in no place"),
        ("ZADD {p}delayed 1 completed", "job completed is in 2 places"),
        ("XADD {p}ready 99999999999999-1 j active", "job active is in 2 places"),
        ("HSET {p}j:active x 1", "key j:active is a hash, not a string"),
        ("SETRANGE {p}j:active 0 9", "job active is waiting as entry"),
        ("SETRANGE {p}j:delayed 0 p", "job delayed is delayed and its record says p"),
        ("SETRANGE {p}j:failed 0 c", "job failed is failed and its record says c"),
        ("SETRANGE {p}j:failed 4 2", "has begun 1 attempts, which are less than 2 made"),
        ("SETRANGE {p}j:prioritized 2 8", "job prioritized stands at priority 7, not 8"),
        ("HSET {p}j:nobody:x g 1", "key j:nobody:x belongs to no job"),
        ("XGROUP SETID {p}ready workers 99999999999999-0", "is pending for nobody"),
        ("XGROUP SETID {p}express workers 0", "and was never handed out"),
        ("XGROUP DESTROY {p}ready workers", "ready has entries and no group of workers"),
        ("XTRIM {p}express MAXLEN 0", "is pending for w1 and not in the stream"),
        ("XTRIM {p}express MAXLEN 0", "counts.lua says 1 waiting, there are 2"),
        ("XADD {p}ready 99999999999999-1 j new k v", "has the fields ['j', 'k'], not j alone"),
        ("HSET {p}meta ms 1", "the clock 1-"),
        ("HINCRBY {p}meta n 1", "meta says"),
        ("XADD {p}ev 99999999999999-1 e waiting n 1 delayed -", "has number 1, not"),
        ("XADD {p}ev 99999999999999-1 e added n 1 active -", "job active is added after waiting"),
        ("XADD {p}ev 99999999999999-1 e eaten n 1 active -", "of the unknown kind eaten"),
        ("XADD {p}ev 99999999999999-1 e progress n 1 front 5", "reports progress while waiting"),
        ("RPUSH {p}j:nobody:log x", "key j:nobody:log belongs to no job"),
        ("PERSIST {p}gone:removed", "key gone:removed lives for ever"),
        ("SET {p}gone:active 1 PX 60000", "says that a job is gone which exists"),
        ("ZADD {p}wake 0 9", "wake has the unknown members ['9']"),
    ],
)
async def test_a_corrupted_queue_is_named(driver: Driver, command: str, named: str) -> None:
    await every_state(driver)
    if command.startswith("HSET {p}j:active"):
        await driver.redis("DEL", driver.keys.job("active"))
    await driver.redis(*command.format(p=driver.keys.prefix).split())
    with pytest.raises(InvariantViolation, match=re.escape(named)):
        await driver.check()
    await driver.wipe()


async def test_a_lost_job_is_named_by_its_last_event(driver: Driver) -> None:
    await every_state(driver)
    await driver.redis("DEL", driver.keys.job("prioritized"))
    await driver.redis("ZREM", driver.keys.prioritized, "prioritized")
    with pytest.raises(InvariantViolation, match="prioritized is gone, its last event says wait"):
        await driver.check()
    await driver.wipe()
