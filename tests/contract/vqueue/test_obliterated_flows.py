"""Obliterate on a queue in use: flows over it and others, and what has its turn by old settings.

As in test_obliterating.py: `raze`, then `remove_orphaned_jobs`, and a call of others in between.
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.driver import Driver, ids, settle
from tests.support.flows import node
from tests.support.queue_dump import keys_left
from vqueue import Deduplication, FlowProducer, Group, JobState, Queue


async def raze(driver: Driver) -> None:
    """Obliterate, and leave the keys of single jobs and groups."""
    assert (await driver.scripts.obliterate(force=True)).obstacle == 0


@pytest.fixture
async def above(redis_url: str, queue_name: str) -> AsyncIterator[Queue]:
    """The queue of the parents."""
    async with Queue(f"{queue_name}-above", redis_url) as queue:
        yield queue


async def state_above(above: Queue) -> JobState | None:
    parent = await above.get_job("parent")
    return parent and parent.state


@pytest.mark.parametrize(
    "options",
    [{}, {"delay": 60}, {"priority": 3}, {"group": "g"}, {"has_child": True}],
    ids=["waiting", "delayed", "prioritized", "grouped", "waiting-children"],
)
async def test_a_parent_is_removed_with_children_of_an_obliterated_queue(
    driver: Driver, queue: Queue, above: Queue, options: dict[str, Any]
) -> None:
    below = [node("grandchild", queue_name=queue.name)] if options.pop("has_child", False) else []
    child = node("child", *below, queue_name=queue.name, **options)
    async with FlowProducer(driver.redis_url) as producer:
        await producer.add(node("parent", child, queue_name=above.name))
    await raze(driver)
    assert await above.remove("parent")
    assert not [key for key in await keys_left(driver.client, driver.keys) if key.startswith("j:")]
    assert sum((await queue.get_job_counts()).values()) == 0
    assert await queue.remove_orphaned_jobs() == 0


async def test_a_job_kept_aside_for_an_obliterated_one_does_not_enter_when_that_is_removed(
    driver: Driver, queue: Queue, above: Queue
) -> None:
    last = Deduplication(id="d", keep_last_if_active=True)
    await queue.add("task", job_id="child", deduplication=last)
    child = await driver.take_one()
    await queue.add("task", job_id="aside", deduplication=last)
    async with FlowProducer(driver.redis_url) as producer:
        await producer.add(
            node("parent", node("child", queue_name=queue.name), queue_name=above.name)
        )
    await driver.scripts.release(consumer="w1", jobs=[("child", child.token)])
    await raze(driver)
    assert await above.remove("parent")
    assert await driver.state("aside") is None
    await queue.remove_orphaned_jobs()


async def test_a_parent_that_has_another_in_an_obliterated_queue_takes_its_child_along(
    driver: Driver, queue: Queue, above: Queue
) -> None:
    shared = node("child", queue_name=above.name)
    async with FlowProducer(driver.redis_url) as producer:
        await producer.add_bulk(
            [
                node("parent", shared, queue_name=above.name),
                node("parent", shared, queue_name=queue.name),
            ]
        )
    await raze(driver)
    assert await above.remove("parent")
    assert await above.get_job("child") is None
    await queue.remove_orphaned_jobs()


@pytest.mark.parametrize("parents", [1, 130])
async def test_parents_wait_for_the_job_that_follows_an_obliterated_child(
    driver: Driver, queue: Queue, above: Queue, parents: int
) -> None:
    child = node("child", queue_name=queue.name)
    roots = [node(f"parent-{n}", child, queue_name=above.name) for n in range(parents)]
    async with FlowProducer(driver.redis_url) as producer:
        await producer.add_bulk(roots)
        await raze(driver)
        await producer.add_bulk(roots)
    await queue.remove_orphaned_jobs()
    assert (await above.get_job_counts())[JobState.WAITING_CHILDREN] == parents
    await driver.finish(settle(await driver.take_one()))
    await driver.scripts.tell_parents()
    assert (await above.get_job_counts())[JobState.WAITING] == parents


async def test_a_group_that_was_full_takes_jobs_up_to_its_size_again(
    driver: Driver, queue: Queue
) -> None:
    single = Group(id="g", max_size=1)
    await queue.add("task", job_id="old", group=single)
    await raze(driver)
    await queue.add("task", job_id="new", group=single)
    await queue.remove_orphaned_jobs()
    assert ids(await driver.take(5)) == ["new"]
