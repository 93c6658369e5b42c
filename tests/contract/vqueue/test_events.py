"""Events: numbered without holes, read from a position, trimmed with notice."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from devstack import Valkey
from tests.support.driver import Driver, fsync_always, settle
from tests.support.invariants import check_invariants
from vqueue import InvalidOption, JobEvent, Queue, QueueEvents

DEADLINE_S = 20


async def read(events: QueueEvents, count: int) -> list[JobEvent]:
    """The next events of a reader."""
    found: list[JobEvent] = []
    async with asyncio.timeout(DEADLINE_S):
        async for event in events:
            found.append(event)
            if len(found) == count:
                break
    return found


@pytest.fixture
async def events(redis_url: str, queue_name: str) -> AsyncIterator[QueueEvents]:
    """A reader from now on."""
    async with QueueEvents(queue_name, redis_url) as events:
        yield events


async def one_life(driver: Driver) -> None:
    """Make eight events: a job is tried twice, with progress, and completes."""
    await driver.add("job")
    first = await driver.take_one()
    await driver.scripts.progress(consumer="w1", jobs=[("job", first.token, b"40")])
    await driver.finish(settle(first, "delayed", value=b'"busy"', rule="1"))
    await driver.finish(settle(await driver.take_when_due()))


async def test_a_life_is_told_in_order_with_its_details(
    driver: Driver, events: QueueEvents
) -> None:
    await one_life(driver)
    told = await read(events, 8)

    assert [event.name for event in told] == [
        "added",
        "waiting",
        "active",
        "progress",
        "delayed",
        "waiting",
        "active",
        "completed",
    ]
    assert [event.number for event in told] == list(range(1, 9))
    versions = [event.version for event in told]
    assert versions[0] == versions[1], "two events of one call"
    assert versions[1:] == sorted(set(versions))
    assert {event.job_id for event in told} == {"job"}
    assert told[0].data == {"name": "task"}
    assert told[1].data == {}
    assert told[2].data == {"consumer": "w1"}
    assert told[3].data == {"progress": 40}
    assert told[4].data["delay_until"] >= told[4].timestamp
    assert told[5].data == {"prev": "delayed"}
    assert told[7].data == {
        "returnvalue": "done",
        "prev": "active",
        "attempts_made": 2,
        "attempts_started": 2,
        "processed_on": 0.001,
    }


async def test_a_reader_starts_when_it_is_entered(
    driver: Driver, queue_name: str, redis_url: str
) -> None:
    await driver.add("before")
    async with QueueEvents(queue_name, redis_url) as events:
        # nothing is read yet, and still nothing is missed
        await driver.add("after")
        assert [event.job_id for event in await read(events, 2)] == ["after", "after"]


async def test_a_reader_of_a_queue_without_events_waits_for_the_first(
    driver: Driver, events: QueueEvents
) -> None:
    reading = asyncio.create_task(read(events, 2))
    await driver.add("first")
    assert [event.name for event in await reading] == ["added", "waiting"]


async def test_a_reader_goes_on_after_any_event(
    driver: Driver, queue_name: str, redis_url: str
) -> None:
    await driver.add("a", "b", "c")  # entries of three events
    await driver.add("d")
    whole = await driver.events()
    for index, event in enumerate(whole[:-1]):
        async with QueueEvents(queue_name, redis_url, last_event_id=event.id) as events:
            assert await read(events, len(whole) - index - 1) == whole[index + 1 :]


async def test_a_reader_restarted_from_its_position_sees_no_gap_and_no_repeat(
    driver: Driver, queue_name: str, redis_url: str
) -> None:
    position = "0"
    numbers: list[int] = []
    for turn in range(6):
        await driver.add(f"a-{turn}", f"b-{turn}")
        async with QueueEvents(queue_name, redis_url, last_event_id=position) as events:
            numbers += [event.number for event in await read(events, 3)]
            assert events.last_event_id is not None
            position = events.last_event_id
    assert numbers == list(range(1, 19))


async def test_a_reader_that_left_its_loop_goes_on_after_the_last_event(
    driver: Driver, events: QueueEvents
) -> None:
    await driver.add("a", "b", "c")
    numbers = [(await read(events, 1))[0].number for _ in range(6)]
    assert numbers == [1, 2, 3, 4, 5, 6]


async def test_position_zero_is_the_oldest_event(
    driver: Driver, queue_name: str, redis_url: str
) -> None:
    await driver.add("a")
    async with QueueEvents(queue_name, redis_url, last_event_id="0") as events:
        assert [event.number for event in await read(events, 2)] == [1, 2]


async def test_a_trimmed_position_is_answered_by_a_gap(
    driver: Driver, queue_name: str, redis_url: str
) -> None:
    await driver.add("a")
    position = (await driver.events())[0].id
    await driver.add("b")
    await driver.redis("XTRIM", driver.keys.ev, "MAXLEN", 1)
    async with QueueEvents(queue_name, redis_url, last_event_id=position) as events:
        gap, event = await read(events, 2)
    assert (gap.name, gap.job_id, gap.data) == ("gap", "", {"missed": None})
    assert (event.name, event.job_id) == ("added", "b")


async def test_events_trimmed_before_they_were_read_are_counted(
    driver: Driver, events: QueueEvents
) -> None:
    await driver.add("a")
    assert [event.number for event in await read(events, 2)] == [1, 2]
    await driver.add("b", "c")
    await driver.add("d")
    await driver.redis("XTRIM", driver.keys.ev, "MAXLEN", 1)
    gap, event = await read(events, 2)
    assert (gap.name, gap.data) == ("gap", {"missed": 4})
    assert (event.name, event.number) == ("added", 7)


async def test_a_replaced_queue_is_a_gap_of_unknown_size(
    driver: Driver, events: QueueEvents
) -> None:
    await driver.add("a", "b")
    await read(events, 4)
    await driver.wipe()
    await driver.add("c")
    gap, event = await read(events, 2)
    assert (gap.name, gap.data) == ("gap", {"missed": None})
    assert (event.name, event.job_id, event.number) == ("added", "c", 1)


@pytest.mark.parametrize("position", ["x", "1-2/x", "-", "1-2-3", "gap", ""])
async def test_a_position_that_is_none_is_refused(
    queue_name: str, redis_url: str, position: str
) -> None:
    events = QueueEvents(queue_name, redis_url, last_event_id=position)
    with pytest.raises(InvalidOption, match="is not a position"):
        await events.start()
    await events.close()


async def test_a_reader_waits_for_a_redis_that_restarts(tmp_path: Path, queue_name: str) -> None:
    with Valkey(tmp_path) as server:
        url = server.settings()["REDIS_URL"]
        await fsync_always(url)
        async with Queue(queue_name, url) as queue, QueueEvents(queue_name, url) as events:
            reading = asyncio.create_task(read(events, 4))
            await queue.add("before", job_id="a")
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
            await queue.add("after", job_id="b")
            assert [event.job_id for event in await reading] == ["a", "a", "b", "b"]
        await check_invariants(url, queue_name)


async def test_the_stream_keeps_between_one_and_two_caps(driver: Driver) -> None:
    await driver.redis("HSET", driver.keys.meta, "events_cap", 500)
    await driver.add("job")
    sizes = []
    for _ in range(2000):
        await driver.add("job")  # one event: it exists
        sizes.append(await driver.redis("XLEN", driver.keys.ev))
    assert sizes[:498] == list(range(2, 500))
    assert min(sizes[498:]) >= 500
    # whole nodes of the stream's tree go, of at most 100 entries
    assert max(sizes) <= 1000 + 100


async def test_a_slow_group_holds_events_up_to_the_ceiling(driver: Driver) -> None:
    await driver.redis("HSET", driver.keys.meta, "events_cap", 100)
    await driver.add("first")
    await driver.redis("XGROUP", "CREATE", driver.keys.ev, "slow", "0")
    for number in range(900):
        await driver.add(f"job-{number}")
    assert (await driver.events())[0].number == 1, "events went before they were read"
    for number in range(900, 1500):
        await driver.add(f"job-{number}")
    assert (await driver.events())[0].number > 1, "nothing bounds the stream"


async def test_a_pending_entry_holds_events_too(driver: Driver) -> None:
    await driver.redis("HSET", driver.keys.meta, "events_cap", 100)
    await driver.add("first")
    await driver.redis("XGROUP", "CREATE", driver.keys.ev, "slow", "0")
    read_entry = ("XREADGROUP", "GROUP", "slow", "reader", "COUNT", 1000, "STREAMS")
    await driver.redis(*read_entry, driver.keys.ev, ">")
    for number in range(400):
        await driver.add(f"job-{number}")
        await driver.redis(*read_entry, driver.keys.ev, ">")
    assert (await driver.events())[0].number == 1
    pending = await driver.redis("XPENDING", driver.keys.ev, "slow", "-", "+", 10_000)
    await driver.redis("XACK", driver.keys.ev, "slow", *(entry[0] for entry in pending))
    for number in range(400, 700):
        await driver.add(f"job-{number}")
        await driver.redis(*read_entry, driver.keys.ev, ">")
        await driver.redis(
            "XACK",
            driver.keys.ev,
            "slow",
            (await driver.redis("XPENDING", driver.keys.ev, "slow"))[2],
        )
    assert (await driver.events())[0].number > 1
