"""Flows whose children fail: each policy, on every way to fail, and retries."""

from typing import Any

import pytest
from redis.exceptions import ResponseError

from tests.support.driver import KEEP_NONE, Driver, settle
from tests.support.flows import CONTINUE, IGNORE, REMOVE, complete, fail, node, states
from vqueue import Dependency, Job, JobFailed, JobState, Queue, UnrecoverableError, Worker


@pytest.mark.parametrize("policy", [{}, {"fail_parent_on_failure": True}])
async def test_a_failed_child_fails_its_parents_up_to_the_root(
    driver: Driver, queue: Queue, policy: dict[str, Any]
) -> None:
    await queue.add_flow(node("root", node("middle", node("leaf", **policy)), node("sibling")))
    await fail(driver, "leaf")

    assert await states(driver, ["middle", "root", "sibling"]) == ["failed", "failed", "waiting"]
    root = await queue.get_job("root")
    assert root is not None
    assert root.failed_reason == f"child {queue.name}:middle failed"
    assert root.attempts_made == 0
    prevs = [event.data["prev"] for event in await driver.events() if event.name == "failed"]
    assert prevs == ["active", "waiting-children", "waiting-children"]
    await complete(driver, "sibling")
    assert await queue.get_dependencies_count("root") == {
        Dependency.PROCESSED: 1,
        Dependency.UNPROCESSED: 0,
        Dependency.IGNORED: 0,
        Dependency.FAILED: 1,
    }


async def test_a_failure_in_another_queue_stops_where_it_is_ignored(
    driver: Driver, other: Driver, queue: Queue
) -> None:
    away = other.queue_name
    await queue.add_flow(
        node("root", node("middle", node("leaf"), queue_name=away, **IGNORE), node("sibling"))
    )
    await fail(other, "leaf")
    assert await other.state("middle") == "failed"
    assert await driver.state("root") == "waiting-children"
    await complete(driver, "sibling")
    assert await driver.state("root") == "waiting"
    assert await queue.get_ignored_children_failures("root") == {
        f"{away}:middle": f"child {away}:leaf failed"
    }


async def test_an_ignored_failure_counts_as_an_end(driver: Driver, queue: Queue) -> None:
    await queue.add_flow(node("parent", node("one", **IGNORE), node("two")))
    await fail(driver, "one")
    assert await driver.state("parent") == "waiting-children"
    await complete(driver, "two")
    assert await queue.get_ignored_children_failures("parent") == {f"{queue.name}:one": "broken"}
    await complete(driver, "parent")


async def test_a_failure_that_is_to_be_forgotten_leaves_nothing(
    driver: Driver, queue: Queue
) -> None:
    await queue.add_flow(node("parent", node("one", **REMOVE)))
    await fail(driver, "one")
    assert await driver.state("parent") == "waiting"
    assert set((await queue.get_dependencies_count("parent")).values()) == {0}


async def test_a_parent_that_is_to_continue_starts_before_the_others_end(
    driver: Driver, queue: Queue
) -> None:
    await queue.add_flow(node("parent", node("one", **CONTINUE), node("two", delay=60)))
    await fail(driver, "one")
    assert await driver.state("parent") == "waiting"
    assert await queue.get_ignored_children_failures("parent") == {f"{queue.name}:one": "broken"}


async def test_a_child_with_attempts_left_does_not_count_as_failed(
    driver: Driver, queue: Queue
) -> None:
    await queue.add_flow(node("parent", node("child")))
    child = await driver.take_one()
    await driver.finish(settle(child, "waiting", value=b'"again"'))
    assert await driver.state("parent") == "waiting-children"
    await complete(driver, "child")
    assert await driver.state("parent") == "waiting"


async def test_one_failure_is_judged_by_each_parent_once(driver: Driver, queue: Queue) -> None:
    shared = node("shared")
    await queue.add_flow(node("root", node("left", shared), node("right", shared)))
    await fail(driver, "shared")
    assert await states(driver, ["left", "right", "root"]) == ["failed"] * 3
    assert (await driver.history("root")).count("failed") == 1


async def test_a_failed_child_and_then_its_parent_are_retried(driver: Driver, queue: Queue) -> None:
    await queue.add_flow(node("parent", node("one"), node("two")))
    await fail(driver, "one")
    await complete(driver, "two", value=b"2")
    await queue.retry("one")
    await queue.retry("parent")
    assert await driver.state("parent") == "waiting-children"
    await complete(driver, "one", value=b"1")
    await complete(driver, "parent")
    values = await queue.get_children_values("parent")
    assert sorted(values.values()) == [1, 2]


async def test_a_parent_that_is_retried_alone_ignores_what_has_failed_it(
    driver: Driver, queue: Queue
) -> None:
    await queue.add_flow(node("parent", node("one")))
    await fail(driver, "one")
    await queue.retry("parent")
    await complete(driver, "parent")
    assert await queue.get_ignored_children_failures("parent") == {f"{queue.name}:one": "broken"}


async def test_a_child_that_is_retried_while_its_parent_waits_is_waited_for_again(
    driver: Driver, queue: Queue
) -> None:
    await queue.add_flow(node("parent", node("one", **IGNORE), node("two", priority=1)))
    await fail(driver, "one")
    await queue.retry("one")
    await complete(driver, "one", "two")
    assert await driver.state("parent") == "waiting"
    assert await queue.get_ignored_children_failures("parent") == {}


async def test_a_child_that_is_retried_after_its_parent_has_started_counts_no_more(
    driver: Driver, queue: Queue
) -> None:
    await queue.add_flow(node("parent", node("one", **IGNORE)))
    await fail(driver, "one")
    parent = await driver.take_one()
    await queue.retry("one")
    await complete(driver, "one")
    assert await queue.get_children_values("parent") == {}
    assert await queue.get_ignored_children_failures("parent") == {f"{queue.name}:one": "broken"}
    await driver.finish(settle(parent))
    assert await driver.state("parent") == "completed"


async def test_a_child_that_is_retried_when_its_parent_is_free_is_not_waited_for(
    driver: Driver, queue: Queue
) -> None:
    await queue.add_flow(node("parent", node("one", **IGNORE)))
    await fail(driver, "one")
    assert await driver.state("parent") == "waiting"
    await queue.retry("one")
    assert await driver.state("parent") == "waiting"
    await complete(driver, "parent", "one")
    assert await queue.get_ignored_children_failures("parent") == {f"{queue.name}:one": "broken"}
    assert await queue.get_children_values("parent") == {}


async def test_a_parent_that_fails_with_its_child_is_kept_by_its_own_rule_not_by_a_workers(
    queue: Queue, redis_url: str
) -> None:
    async def handler(job: Job) -> None:
        raise UnrecoverableError("broken")

    kept = node("kept", node("first"))
    gone = node("gone", node("second"), remove_on_fail=True)
    async with Worker(queue.name, handler, redis_url, remove_on_fail=True):
        await queue.add_flow(kept)
        await queue.add_flow(gone)
        for name in ("kept", "gone", "first", "second"):
            with pytest.raises(JobFailed):
                await queue.result(name, timeout=15)
    found = await queue.get_jobs(["kept", "gone", "first", "second"])
    assert [job and job.state for job in found] == [JobState.FAILED, None, None, None]


@pytest.mark.parametrize("end", ["finish", "sweep", "cancel"])
async def test_a_child_that_is_not_kept_is_there_until_its_parent_was_told(
    driver: Driver, queue: Queue, end: str
) -> None:
    """A key of the parent that is none of ours breaks the script off."""
    await queue.add_flow(node("parent", node("child", remove_on_fail=True, **IGNORE)))
    child = None if end == "cancel" else await driver.take_one()
    deps = driver.keys.job("parent") + ":deps"

    async def end_it() -> None:
        if end == "cancel":
            await queue.cancel("child")
        elif end == "sweep":
            await driver.sweep(max_stalled=0, dead="w1")
        elif child:
            await driver.finish(settle(child, "failed", rule=KEEP_NONE))

    await driver.redis("RENAME", deps, f"{deps}:aside")
    await driver.redis("SET", deps, "none of ours")
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        await end_it()
    await driver.redis("RENAME", f"{deps}:aside", deps)
    await end_it()
    assert await states(driver, ["child", "parent"]) == [None, "waiting"]
    # the call that broke off has told its events, too
    await driver.redis("DEL", driver.keys.ev)
