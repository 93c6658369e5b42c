"""Behaviours 51 to 54: parents and children."""

from collections.abc import Sequence
from typing import Any

import pytest

from tests.conformance.processes import worker_process
from tests.support.driver import Driver, settle
from tests.support.flows import CONTINUE, IGNORE, REMOVE, fail, node, states
from tests.support.waiting import until
from tests.support.workers import ended
from vqueue import Dependency, FlowJob, Job, JobNotInState, JobOptions, Queue, Worker

#: Seconds.
LEASE = 0.6

#: Policy of the child → states of its parent and of the parent's parent once it has failed, and
#: what the parent knows of it: failures that it ignores, children that it failed with.
POLICIES: dict[str, tuple[dict[str, Any], Sequence[str], int, int]] = {
    "fail": ({}, ["failed", "failed"], 0, 1),
    "ignore": (IGNORE, ["waiting-children", "waiting-children"], 1, 0),
    "remove": (REMOVE, ["waiting-children", "waiting-children"], 0, 0),
    "continue": (CONTINUE, ["waiting", "waiting-children"], 1, 0),
}


async def test_a_parent_runs_after_its_children_over_three_levels_and_two_queues(
    queue: Queue, other: Driver, redis_url: str
) -> None:
    order: list[str] = []

    async def handler(job: Job) -> dict[str, Any]:
        order.append(job.id)
        return {job.id: await job.get_children_values()}

    home, away = queue.name, other.queue_name
    async with (
        Worker(home, handler, redis_url, concurrency=3),
        Worker(away, handler, redis_url, concurrency=3),
    ):
        await queue.add_flow(
            node(
                "root",
                node("middle", node("leaf"), node("leaf-away", queue_name=away)),
                node("aside", queue_name=away),
            )
        )
        (root,) = await ended(queue, "root")
    middle = {"middle": {f"{home}:leaf": {"leaf": {}}, f"{away}:leaf-away": {"leaf-away": {}}}}
    assert root.returnvalue == {"root": {f"{home}:middle": middle, f"{away}:aside": {"aside": {}}}}
    assert sorted(order[:-1]) == ["aside", "leaf", "leaf-away", "middle"]
    assert order[-1] == "root"
    assert order.index("middle") > max(order.index("leaf"), order.index("leaf-away"))


@pytest.mark.parametrize("how", ["fails", "stalls"])
@pytest.mark.parametrize("policy", POLICIES)
async def test_a_failure_in_the_middle_of_a_tree_is_judged_by_the_policy_of_the_child(
    queue: Queue, driver: Driver, redis_url: str, policy: str, how: str
) -> None:
    options, expected, ignored, failed = POLICIES[policy]
    await queue.add_flow(
        node(
            "root",
            node("parent", node("child", node("leaf"), **options), node("beside", delay=60)),
        )
    )

    leaf = await driver.take_one()
    await driver.finish(settle(leaf))
    if how == "fails":
        await fail(driver, "child")
    else:
        with worker_process(driver, lease=LEASE) as process:
            await process.tells("started child")
            await queue.pause()
            process.kill()

        async def has_failed() -> bool:
            await driver.sweep(max_stalled=0)
            return await driver.state("child") == "failed"

        await until(has_failed, what="the lease of the killed worker to run out")
        await queue.resume()
    reason = "broken" if how == "fails" else "job stalled more than allowable limit"
    child = await queue.get_job("child")
    assert child is not None
    assert (child.state, child.failed_reason) == ("failed", reason)
    assert await states(driver, ["parent", "root"]) == expected
    counts = await queue.get_dependencies_count("parent")
    assert counts == {
        Dependency.PROCESSED: 0,
        Dependency.UNPROCESSED: 1,
        Dependency.IGNORED: ignored,
        Dependency.FAILED: failed,
    }
    kept = {f"{queue.name}:child": reason} if ignored else {}
    assert await queue.get_ignored_children_failures("parent") == kept
    if policy == "fail":
        root = await queue.get_job("root")
        assert root is not None
        assert root.failed_reason == f"child {queue.name}:parent failed"
        return
    await queue.promote("beside")

    async def handler(job: Job) -> None:
        if job.id == "parent":
            # one that is to continue starts before the others have ended
            await queue.remove_unprocessed_children("parent")

    async with Worker(queue.name, handler, redis_url):
        parent, root = await ended(queue, "parent", "root")
    assert (parent.state, root.state) == ("completed", "completed")


async def test_children_of_a_handler_that_dies_before_it_waits_are_neither_lost_nor_doubled(
    queue: Queue, driver: Driver, redis_url: str
) -> None:
    async def handler(job: Job) -> Any:
        if job.name != "parent":
            return job.id
        if not (values := await job.get_children_values()):
            children = [
                FlowJob(name="child", options=JobOptions(job_id=f"parent-{k}")) for k in (1, 2)
            ]
            await queue.add_children(job, children)
            await job.move_to_waiting_children()
        return sorted(values.values())

    await queue.add("parent", job_id="parent")
    with worker_process(driver, lease=LEASE) as process:
        await process.tells("added children")
        process.kill()
    async with Worker(queue.name, handler, redis_url, lock_duration=LEASE):
        parent, *children = await ended(queue, "parent", "parent-1", "parent-2")
    assert (parent.returnvalue, parent.stalled_count) == (["parent-1", "parent-2"], 1)
    assert {child.state for child in children} == {"completed"}
    assert sum((await queue.get_job_counts()).values()) == 3
    for child in children:
        history = await driver.history(child.id)
        assert (history.count("added"), history.count("active")) == (1, 1)


async def test_removing_the_last_child_frees_the_parent_and_a_tree_that_runs_is_refused(
    queue: Queue, driver: Driver, other: Driver
) -> None:
    await queue.add_flow(node("parent", node("one"), node("two")))
    await queue.remove("one")
    assert await driver.state("parent") == "waiting-children"
    await queue.remove("two")
    assert await driver.state("parent") == "waiting"

    away = node("away", node("leaf"), queue_name=other.queue_name)
    await queue.add_flow(node("root", away, node("beside")))
    running = await other.take_one()
    with pytest.raises(JobNotInState, match="is active"):
        await queue.remove("root")
    assert await states(driver, ["root", "beside"]) == ["waiting-children", "waiting"]
    assert await other.state("away") == "waiting-children"
    await other.finish(settle(running))
    assert await queue.remove("root")
    assert await states(driver, ["root", "beside"]) == [None, None]
    assert await other.state("away") is None
