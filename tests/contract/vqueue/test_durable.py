"""DurableEvents: each event reaches some process until it is acknowledged; gaps are told."""

import asyncio
from collections.abc import AsyncIterator

import pytest

import vqueue.durable
import vqueue.subscription
from tests.support.driver import Driver, settle
from tests.support.waiting import until
from vqueue import DurableEvents, EventBatch


@pytest.fixture
async def subscriber(redis_url: str, queue_name: str) -> AsyncIterator[DurableEvents]:
    """A process of the group, which has joined and closed its first gap."""
    async with DurableEvents(queue_name, redis_url, group="billing") as subscriber:
        batch = await following(subscriber)
        assert batch.gap
        await batch.acknowledge()
        yield subscriber


async def following(subscriber: DurableEvents) -> EventBatch:
    """The next batch of an iteration that ends with it."""
    async with asyncio.timeout(20):
        async for batch in subscriber:
            return batch
    raise AssertionError("the iteration has ended")


def names(batch: EventBatch) -> list[str]:
    return [f"{event.name} {event.job_id}" for event in batch.events]


async def test_events_come_in_order_and_are_done_when_acknowledged(
    driver: Driver, subscriber: DurableEvents
) -> None:
    await driver.add("a")
    await driver.add("later", delay_ms=60_000)
    await driver.finish(settle(await driver.take_one(), value=b"7"))
    batch = await following(subscriber)
    of_a = [event for event in batch.events if event.job_id == "a"]
    assert [event.name for event in of_a] == ["added", "waiting", "active", "completed"]
    assert of_a[-1].data["returnvalue"] == 7
    assert not batch.gap
    assert not await subscriber.is_caught_up()
    await batch.acknowledge()
    await batch.acknowledge()
    assert await subscriber.is_caught_up()


async def test_a_batch_comes_again_until_it_is_acknowledged(
    driver: Driver, subscriber: DurableEvents
) -> None:
    await driver.add("a")
    first = await following(subscriber)
    again = await following(subscriber)
    assert names(again) == names(first)
    await again.acknowledge()
    await driver.add("b")
    assert names(await following(subscriber)) == ["added b", "waiting b"]


async def test_what_a_dead_process_had_read_goes_to_another_one(
    driver: Driver, subscriber: DurableEvents, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vqueue.subscription, "_CLAIM_IDLE_MS", 0)
    await driver.add("a")
    first = await following(subscriber)
    await subscriber.close()
    async with DurableEvents(driver.queue_name, redis_url, group="billing") as other:
        batch = await following(other)
        assert names(batch) == names(first)
        await batch.acknowledge()


async def test_processes_share_the_events(
    driver: Driver, subscriber: DurableEvents, redis_url: str
) -> None:
    seen: list[str] = []

    async def work(process: DurableEvents) -> None:
        async for batch in process:
            seen.extend(names(batch))
            await batch.acknowledge()

    async with DurableEvents(driver.queue_name, redis_url, group="billing") as other:
        tasks = [asyncio.create_task(work(process)) for process in (subscriber, other)]
        for n in range(50):
            await driver.add(f"j{n}")
        await until(lambda: len(seen) >= 100, what="all events")
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    wanted = [f"{name} j{n}" for n in range(50) for name in ("added", "waiting")]
    assert sorted(seen) == sorted(wanted)


async def test_a_group_that_lost_events_reads_all_jobs_once(
    driver: Driver, subscriber: DurableEvents, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vqueue.durable, "_GAP_INTERVAL", 0.0)
    await driver.add("a", "b", "c")
    await driver.add("later", delay_ms=60_000)
    await driver.finish(settle(await driver.take_one()))
    await driver.redis("XTRIM", driver.keys.ev, "MAXLEN", 1)
    rest = await following(subscriber)
    assert names(rest) == ["completed a"]
    await rest.acknowledge()
    notice = await following(subscriber)
    assert (notice.gap, notice.events) == (True, ())
    async with DurableEvents(driver.queue_name, redis_url, group="billing") as other:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await following(other)  # one process at a time
    jobs = {job.id: job.state.value async for job in subscriber.all_jobs()}
    assert jobs == {"a": "completed", "b": "waiting", "c": "waiting", "later": "delayed"}
    assert (await following(subscriber)).gap  # nobody has said that it is dealt with
    await notice.acknowledge()
    assert await subscriber.is_caught_up()
    await driver.add("d")
    assert not (await following(subscriber)).gap


async def test_a_removed_group_leaves_nothing(driver: Driver, subscriber: DurableEvents) -> None:
    assert await subscriber.remove()
    assert not await subscriber.remove()
    assert not await subscriber.is_caught_up()
    fields = await driver.redis("HKEYS", driver.keys.meta)
    assert not [field for field in fields if b"billing" in field]
    assert (await following(subscriber)).gap  # it was made anew


async def test_a_job_that_cannot_be_read_does_not_stop_the_others(
    driver: Driver, subscriber: DurableEvents
) -> None:
    await driver.add("bad", data=b"{")
    await driver.add("good")
    assert [job.id async for job in subscriber.all_jobs()] == ["good"]
