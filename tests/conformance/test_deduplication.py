"""Behaviours 42 to 44: one job stands for all that are added with the same id."""

import asyncio
from typing import Any

import pytest

from tests.support.driver import Driver, settle
from tests.support.waiting import until
from tests.support.workers import ended
from vqueue import Deduplication, Job, Queue, Worker


async def told(driver: Driver) -> list[tuple[str, dict[str, Any]]]:
    """The deduplicated events."""
    return [(e.job_id, e.data) for e in await driver.events() if e.name == "deduplicated"]


@pytest.mark.parametrize("end", ["completed", "failed"])
@pytest.mark.parametrize("keep", ["-1 -1 *", "0 -1 *"])
async def test_the_first_job_stands_for_those_that_follow_until_it_has_ended(
    queue: Queue, driver: Driver, end: str, keep: str
) -> None:
    once = Deduplication(id="d")
    first = await queue.add("task", 1, attempts=2, deduplication=once)
    second = await queue.add("task", 2, job_id="second", deduplication=once)
    assert (first.is_deduplicated, second.is_deduplicated) == (False, True)
    assert second.id == first.id
    assert not second.is_duplicate
    assert sum((await queue.get_job_counts()).values()) == 1
    assert await told(driver) == [
        (first.id, {"deduplication_id": "d", "deduplicated_job_id": "second"})
    ]
    await driver.finish(settle(await driver.take_one(), "waiting"))
    assert (await queue.add("task", deduplication=once)).id == first.id
    await driver.finish(settle(await driver.take_one(), end, rule=keep))
    assert not (await queue.add("task", deduplication=once)).is_deduplicated


async def test_a_throttled_id_is_taken_for_its_time_whatever_becomes_of_the_job(
    queue: Queue, driver: Driver
) -> None:
    throttle = Deduplication(id="d", ttl=60)
    first = await queue.add("task", deduplication=throttle)
    await driver.finish(settle(await driver.take_one(), rule="0 -1 *"))
    assert (await queue.add("task", deduplication=throttle)).id == first.id
    assert 0 < (await driver.dump()).ttl_ms["dd:d"] <= 60_000
    await driver.redis("PEXPIRE", driver.keys.dedup_owner("d"), 1)

    async def is_free() -> bool:
        return await queue.get_deduplication_job_id("d") is None

    await until(is_free, what="the time to pass")
    assert (await queue.add("task", deduplication=throttle)).id != first.id


@pytest.mark.parametrize("extend", [False, True])
async def test_an_ignored_add_starts_the_time_again_with_extend_only(
    queue: Queue, driver: Driver, extend: bool
) -> None:
    once = Deduplication(id="d", ttl=200, extend=extend)
    await queue.add("task", deduplication=once)
    await driver.redis("PEXPIRE", driver.keys.dedup_owner("d"), 50_000)
    assert (await queue.add("task", deduplication=once)).is_deduplicated
    assert ((await driver.dump()).ttl_ms["dd:d"] > 50_000) is extend


@pytest.mark.parametrize("extend", [False, True])
async def test_a_debounced_job_is_replaced_by_the_newest_while_it_is_delayed(
    queue: Queue, driver: Driver, extend: bool
) -> None:
    debounce = Deduplication(id="d", ttl=200, extend=extend, replace=True)
    first = await queue.add("task", 1, delay=60, deduplication=debounce)
    await driver.redis("PEXPIRE", driver.keys.dedup_owner("d"), 50_000)
    second = await queue.add("task", 2, delay=60, deduplication=debounce)
    assert not second.is_deduplicated
    assert await queue.get_job(first.id) is None
    newest = await queue.get_job(second.id)
    assert newest is not None
    assert (newest.data, newest.state) == (2, "delayed")
    assert await queue.get_deduplication_job_id("d") == second.id
    assert ((await driver.dump()).ttl_ms["dd:d"] > 50_000) is extend
    assert await told(driver) == [
        (second.id, {"deduplication_id": "d", "deduplicated_job_id": first.id})
    ]
    assert (await driver.history(first.id))[-1] == "removed"
    # once it is past its delay it stands for those that follow
    await queue.promote(second.id)
    assert (await queue.add("task", 3, delay=60, deduplication=debounce)).id == second.id


@pytest.mark.parametrize("fails", [False, True])
async def test_of_fifty_adds_while_the_job_runs_the_last_one_runs_once_more(
    queue: Queue, redis_url: str, queue_name: str, fails: bool
) -> None:
    attempts = 3 if fails else 1
    started: list[Any] = []
    most = 0
    running = 0
    let_go = asyncio.Event()

    async def handler(job: Job) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        started.append(job.data)
        try:
            await let_go.wait()
            if fails and job.data == "first":
                raise ValueError("never")
        finally:
            running -= 1

    last = Deduplication(id="d", keep_last_if_active=True)
    first = await queue.add("task", "first", attempts=attempts, deduplication=last)
    async with (
        Worker(queue_name, handler, redis_url, concurrency=5),
        Worker(queue_name, handler, redis_url, concurrency=5),
    ):
        await until(lambda: bool(started), what="the first attempt")
        adds = [await queue.add("task", n, deduplication=last) for n in range(50)]
        assert {job.id for job in adds} == {first.id}
        assert started == ["first"]
        let_go.set()

        async def is_free() -> bool:
            return await queue.get_deduplication_job_id("d") is None

        await until(is_free, what="both jobs to end")
        (job,) = await ended(queue, first.id)
    assert job.state == ("failed" if fails else "completed")
    assert started == ["first"] * attempts + [49]
    assert most == 1


async def test_the_removal_of_the_owner_frees_the_id_and_that_of_a_former_one_does_not(
    queue: Queue, driver: Driver
) -> None:
    once = Deduplication(id="d")
    await queue.add("task", job_id="removed", deduplication=once)
    await queue.remove("removed")
    assert await queue.get_deduplication_job_id("d") is None
    former = await queue.add("task", job_id="former", deduplication=once)
    assert not former.is_deduplicated
    await driver.finish(settle(await driver.take_one(), rule="-1 -1 *"))
    await queue.add("task", job_id="owner", deduplication=once)
    await queue.remove("former")
    assert await queue.get_deduplication_job_id("d") == "owner"
