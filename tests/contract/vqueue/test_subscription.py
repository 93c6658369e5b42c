"""Subscription: every entry reaches some process, and what is missing is told."""

from collections.abc import AsyncIterator

import pytest

import vqueue.subscription
from tests.support.driver import Driver
from vqueue.connection import Client, open_client
from vqueue.scripts import Scripts
from vqueue.subscription import Entry, Subscription


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[Client]:
    """Connections of the processes under test."""
    client = open_client(redis_url)
    yield client
    await client.aclose()


@pytest.fixture
async def driver(redis_url: str, queue_name: str) -> AsyncIterator[Driver]:
    """A queue."""
    driver = Driver(redis_url, queue_name)
    yield driver
    await driver.close()


async def joined(client: Client, driver: Driver) -> Subscription:
    """A process of a group that has no gap: it has joined before the first event."""
    process = subscribed(client, driver)
    batch = await process.read()
    await process.close_gap(batch.gap)
    return process


def subscribed(client: Client, driver: Driver) -> Subscription:
    """A process of the group."""
    return Subscription(client, Scripts(client, driver.keys), driver.keys, group="test")


async def all_of(batches: AsyncIterator[list[Entry]]) -> list[bytes]:
    """Ids of all entries."""
    return [entry.id async for batch in batches for entry in batch]


async def test_a_read_tells_where_the_events_end(client: Client, driver: Driver) -> None:
    process = await joined(client, driver)
    await driver.add("first")
    batch = await process.read()
    assert batch.gap == ""
    assert batch.entries
    assert await driver.redis("XREAD", "STREAMS", driver.keys.ev, batch.end) is None
    await driver.add("second")
    later = (await process.read()).entries
    ((_, beyond),) = await driver.redis("XREAD", "STREAMS", driver.keys.ev, batch.end)
    assert [entry_id for entry_id, _ in beyond] == [entry.id for entry in later]
    assert await process.wait(batch.end)


async def test_entries_come_again_until_they_are_acknowledged(
    client: Client, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vqueue.subscription, "_REREAD_COUNT", 2)
    process = await joined(client, driver)
    for name in "abcde":
        await driver.add(name)
    entries = (await process.read()).entries
    assert len(entries) > 4
    assert await all_of(process.unacknowledged()) == [entry.id for entry in entries]
    assert not await process.is_done()
    await process.acknowledge(entries[1:])
    assert await all_of(process.unacknowledged()) == [entries[0].id]
    await process.acknowledge(entries)
    assert await all_of(process.unacknowledged()) == []
    assert await process.is_done()


async def test_what_a_silent_process_had_read_is_taken_over(
    client: Client, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vqueue.subscription, "_REREAD_COUNT", 2)
    silent = await joined(client, driver)
    for name in "abc":
        await driver.add(name)
    entries = (await silent.read()).entries
    heir = subscribed(client, driver)
    assert await all_of(heir.abandoned()) == []
    monkeypatch.setattr(vqueue.subscription, "_CLAIM_IDLE_MS", 0)
    assert await all_of(heir.abandoned()) == [entry.id for entry in entries]
    assert await all_of(silent.unacknowledged()) == []
    assert await all_of(heir.unacknowledged()) == [entry.id for entry in entries]


@pytest.mark.parametrize("how", ["unacknowledged", "abandoned"])
async def test_an_entry_that_was_trimmed_while_pending_is_a_gap(
    client: Client, driver: Driver, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(vqueue.subscription, "_CLAIM_IDLE_MS", 0)
    process = await joined(client, driver)
    await driver.add("a")
    await driver.add("b")
    entries = (await process.read()).entries
    await driver.redis("XDEL", driver.keys.ev, entries[0].id)
    reader = process if how == "unacknowledged" else subscribed(client, driver)
    kept = [entry async for batch in getattr(reader, how)() for entry in batch]
    assert kept == entries[1:]
    await reader.acknowledge(kept)
    assert not await reader.is_done()
    gap = (await reader.read()).gap
    assert gap
    await reader.close_gap(gap)
    assert await reader.is_done()


async def test_one_process_at_a_time_reads_the_queue(client: Client, driver: Driver) -> None:
    first, second = await joined(client, driver), subscribed(client, driver)
    assert await first.lock_resync()
    assert not await second.lock_resync()
    assert await first.lock_resync()
    await first.close_gap("")
    assert await second.lock_resync()
