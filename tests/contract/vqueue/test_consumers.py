"""Consumers of Redis are kept few: their list can only be read whole."""

import pytest

from tests.support.driver import LONG_MS, Driver, settle
from tests.support.monitoring import commands_of_scripts
from tests.support.workers import HeldHandler, ended
from vqueue import DurableEvents, ManualWorker, Queue, TooManySubscribers, Worker
from vqueue.connection import open_client
from vqueue.consumers import ForgetConsumers
from vqueue.keys import GROUP


async def consumers(driver: Driver, stream: str, group: str = GROUP) -> list[str]:
    """The names of a group's consumers."""
    found = await driver.redis("XINFO", "CONSUMERS", stream, group)
    return [row[1].decode() for row in found]


async def forget(driver: Driver, *, silent_ms: int = -1) -> None:
    """Forget consumers that hold nothing and were silent for so long."""
    client = open_client(driver.redis_url)
    try:
        await ForgetConsumers(client, driver.scripts, driver.keys, silent_ms=silent_ms).run_once()
    finally:
        await client.aclose()


async def test_a_worker_that_closes_takes_its_consumers_along(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    handler = HeldHandler()
    handler.let_go.set()
    for number in range(2):
        await queue.add("task", job_id=f"plain-{number}")
        await queue.add("task", job_id=f"urgent-{number}", priority=1)
        async with Worker(queue_name, handler, redis_url) as worker:
            await ended(queue, f"plain-{number}", f"urgent-{number}")
            assert await consumers(driver, driver.keys.ready) == [worker.consumer]
            assert await consumers(driver, driver.keys.express) == [worker.consumer]
        assert await consumers(driver, driver.keys.ready) == []
        assert await consumers(driver, driver.keys.express) == []


async def test_a_worker_by_hand_takes_its_consumers_along(
    driver: Driver, redis_url: str, queue_name: str
) -> None:
    await driver.add("a")
    async with ManualWorker(queue_name, redis_url) as worker:
        assert await worker.get_next_job() is not None
        assert await consumers(driver, driver.keys.ready) == [worker.consumer]
    assert await consumers(driver, driver.keys.ready) == []
    assert await driver.state("a") == "waiting"


async def test_a_worker_that_leaves_and_holds_a_job_is_not_forgotten(driver: Driver) -> None:
    await driver.add("a")
    job = await driver.take_one(consumer="holder")
    await driver.scripts.present(consumer="holder", info=b"")
    await forget(driver)
    assert await consumers(driver, driver.keys.ready) == ["holder"]
    assert (await driver.finish(settle(job), consumer="holder")).statuses == [1]


async def test_silent_consumers_that_hold_nothing_are_forgotten(driver: Driver) -> None:
    await driver.add("a", "b")
    await driver.add("urgent", place="1")
    done = [await driver.take_one(consumer="gone")]
    await driver.take_one(consumer="holder")
    done.append(await driver.take_one(consumer="gone"))
    await driver.finish(*map(settle, done), consumer="gone")
    await forget(driver, silent_ms=LONG_MS)
    assert await consumers(driver, driver.keys.ready) == ["gone", "holder"]
    await forget(driver)
    assert await consumers(driver, driver.keys.ready) == ["holder"]
    assert await consumers(driver, driver.keys.express) == []


async def test_more_silent_consumers_than_one_call_forgets_all_go(driver: Driver) -> None:
    await driver.add("a")
    for number in range(600):
        await driver.redis("XGROUP", "CREATECONSUMER", driver.keys.ready, GROUP, f"w{number}")
    commands = await commands_of_scripts(driver, lambda: forget(driver))
    assert await consumers(driver, driver.keys.ready) == []
    assert sum(command.startswith("XGROUP DELCONSUMER") for command in commands) == 600
    assert [command for command in commands if command.startswith("XINFO")] == []


async def test_a_worker_that_was_forgotten_goes_on(driver: Driver) -> None:
    await driver.add("a")
    await driver.finish(settle(await driver.take_one()))
    await forget(driver)
    assert await consumers(driver, driver.keys.ready) == []
    await driver.add("b")
    assert (await driver.finish(settle(await driver.take_one()))).statuses == [1]


async def test_subscribers_of_events_that_hold_nothing_are_forgotten(driver: Driver) -> None:
    await driver.add("a")
    for consumer in ("busy", "gone"):  # the first one makes the group, and reads nothing
        await driver.scripts.read_events(group="mirror", consumer=consumer, budget=10)
    await driver.add("b")
    await driver.scripts.read_events(group="mirror", consumer="busy", budget=10)
    await forget(driver)
    assert await consumers(driver, driver.keys.ev, "mirror") == ["busy"]


async def test_a_subscriber_that_closes_takes_its_consumer_along(
    driver: Driver, redis_url: str, queue_name: str
) -> None:
    await driver.add("a")
    async with DurableEvents(queue_name, redis_url, group="billing") as subscriber:
        async for batch in subscriber:
            assert batch.gap
            await batch.acknowledge()
            await driver.add("b")
            break
        async for batch in subscriber:
            assert len(await consumers(driver, driver.keys.ev, "billing")) == 1
            await batch.acknowledge()
            break
    assert await consumers(driver, driver.keys.ev, "billing") == []


async def test_the_101st_durable_subscriber_is_refused(
    driver: Driver, redis_url: str, queue_name: str
) -> None:
    await driver.add("a")
    for number in range(100):
        await driver.scripts.read_events(group=f"g{number}", consumer="c", budget=10)
    async with DurableEvents(queue_name, redis_url, group="one-more") as subscriber:
        with pytest.raises(TooManySubscribers, match=r"'one-more'.*100 durable"):
            await anext(aiter(subscriber))
    assert len(await driver.redis("XINFO", "GROUPS", driver.keys.ev)) == 100
    # the others go on, and one that leaves makes room
    assert (await driver.scripts.read_events(group="g0", consumer="c", budget=10))[0]
    assert await driver.scripts.leave_events(group="g7")
    async with DurableEvents(queue_name, redis_url, group="one-more") as subscriber:
        assert (await anext(aiter(subscriber))).gap
