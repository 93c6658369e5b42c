"""Removing jobs of flows: with what is under them, and never a job that runs."""

import re

import pytest

from tests.support.driver import Driver
from tests.support.flows import node
from vqueue import InvalidOption, Queue


async def test_a_tree_is_removed_whole_over_its_queues(
    driver: Driver, other: Driver, queue: Queue
) -> None:
    away = node("away", node("leaf"), queue_name=other.queue_name)
    await queue.add_flow(node("root", away, node("beside")))
    assert await queue.remove("root")
    for names in (await driver.dump()).types, (await other.dump()).types:
        assert {name for name in names if name.startswith("j:")} == set()


async def test_a_child_with_a_parent_elsewhere_stays(driver: Driver, queue: Queue) -> None:
    shared = node("shared")
    await queue.add_flow(node("root", node("left", shared), node("right", shared)))
    await queue.remove("left")
    assert await driver.state("shared") == "waiting"
    await queue.remove("right")
    assert await driver.state("shared") is None
    assert await driver.state("root") == "waiting"


async def test_a_tree_that_is_too_large_for_one_call_is_refused(
    driver: Driver, queue: Queue
) -> None:
    await queue.add_flow(node("root", *(node(f"a-{k}") for k in range(200))))
    await queue.add_children(f"{queue.name}:root", [node(f"b-{k}") for k in range(100)])
    with pytest.raises(InvalidOption, match="more than 250 jobs"):
        await queue.remove("root")
    assert await queue.remove_unprocessed_children("root") == 300
    assert await driver.state("root") == "waiting"


async def test_of_a_parent_with_thousands_of_children_none_is_looked_at(
    driver: Driver, queue: Queue
) -> None:
    await queue.add_flow(node("root", node("one")))
    for start in range(0, 3000, 1000):
        refs = (f"{queue.name}:{number}" for number in range(start, start + 1000))
        await driver.redis("SADD", f"{driver.keys.job('root')}:deps", *refs)
    await driver.redis("CONFIG", "RESETSTAT")
    with pytest.raises(InvalidOption, match="more than 250 jobs"):
        await queue.remove("root")
    told: bytes = await driver.redis("INFO", "commandstats")
    assert sum(map(int, re.findall(rb"calls=(\d+)", told))) < 100
    await driver.wipe()


async def test_unprocessed_children_are_removed_and_those_that_run_stay(
    driver: Driver, queue: Queue
) -> None:
    await queue.add_flow(node("root", node("runs"), node("waits"), node("later", delay=60)))
    await driver.take_one()
    assert await queue.remove_unprocessed_children("root") == 2
    states = [await driver.state(job) for job in ("runs", "waits", "later", "root")]
    assert states == ["active", None, None, "waiting-children"]
    assert await queue.remove_unprocessed_children("root") == 0
