"""Flows: parents wait for their children, and move on once."""

import pytest

from tests.support.driver import KEEP_NONE, Driver, settle
from tests.support.flows import IGNORE, REMOVE, complete, node, shape, states, taken
from vqueue import (
    FlowJob,
    FlowProducer,
    InvalidOption,
    JobOptions,
    ParentMissing,
    Queue,
    chain,
    chord,
    group,
)


async def test_a_parent_runs_after_its_children_and_reads_their_values(
    driver: Driver, queue: Queue
) -> None:
    flow = await queue.add_flow(node("parent", node("one"), node("two")))

    assert shape(flow) == {"parent": ["one", "two"]}
    assert flow.job.state == "waiting-children"
    assert await driver.state("parent") == "waiting-children"
    assert (await queue.get_parents("one")) == [f"{queue.name}:parent"]
    await complete(driver, "one", "two", value=b"[1]")
    assert await driver.state("parent") == "waiting"
    assert await queue.get_children_values("parent") == {
        f"{queue.name}:one": [1],
        f"{queue.name}:two": [1],
    }
    await complete(driver, "parent")
    assert await driver.history("parent") == [
        "added", "waiting-children", "waiting", "active", "completed"
    ]  # fmt: skip


async def test_a_parent_is_freed_once_when_its_children_end_in_one_call_and_again(
    driver: Driver, queue: Queue
) -> None:
    await queue.add_flow(node("parent", *(node(f"child-{k}") for k in range(20))))
    jobs = await taken(driver, 20)
    settlements = [settle(job) for job in jobs.values()]
    await driver.finish(*settlements)
    repeated = await driver.finish(*settlements)

    assert set(repeated.statuses) == {2}
    assert (await driver.history("parent")).count("waiting") == 1


async def test_values_outlive_children_that_are_removed_as_they_end(
    driver: Driver, queue: Queue
) -> None:
    await queue.add_flow(node("parent", node("child"), node("failing", **IGNORE)))
    jobs = await taken(driver, 2)
    await driver.finish(
        settle(jobs["child"], value=b"5", rule=KEEP_NONE),
        settle(jobs["failing"], "failed", value=b'"no"', rule=KEEP_NONE),
    )
    assert await states(driver, ["child", "failing", "parent"]) == [None, None, "waiting"]
    assert await queue.get_children_values("parent") == {f"{queue.name}:child": 5}
    assert await queue.get_ignored_children_failures("parent") == {f"{queue.name}:failing": "no"}


async def test_a_parent_takes_its_keys_with_it(driver: Driver, queue: Queue) -> None:
    await queue.add_flow(node("parent", node("child"), remove_on_complete=True))
    await complete(driver, "child")
    parent = await driver.take_one()
    await driver.finish(settle(parent, rule=KEEP_NONE))
    dump = await driver.dump()
    assert {name for name in dump.types if name.startswith("j:parent")} == set()


async def test_a_parents_own_delay_and_priority_apply_when_its_children_have_ended(
    driver: Driver, queue: Queue
) -> None:
    await queue.add_flow(node("delayed", node("a"), delay=60))
    await queue.add_flow(node("urgent", node("b"), priority=3))
    await queue.add_flow(node("newest", node("c"), lifo=True))
    await driver.add("plain")
    jobs = await taken(driver, 4)
    await driver.finish(*(settle(jobs[job_id]) for job_id in "abc"))
    assert await states(driver, ["delayed", "urgent", "newest"]) == [
        "delayed", "prioritized", "waiting"
    ]  # fmt: skip
    await driver.add("later")
    assert [job.id.decode() for job in (await driver.take(3)).jobs] == ["newest", "later", "urgent"]


async def test_a_job_under_several_parents_frees_each_of_them(driver: Driver, queue: Queue) -> None:
    shared = node("shared")
    await queue.add_flow(node("root", node("left", shared), node("right", shared)))
    assert await queue.get_parents("shared") == [f"{queue.name}:left", f"{queue.name}:right"]
    await complete(driver, "shared")
    await complete(driver, "left", "right")
    assert await driver.state("root") == "waiting"


async def test_a_flow_that_is_added_again_changes_nothing(driver: Driver, queue: Queue) -> None:
    tree = node("parent", node("one"), node("two"))
    await queue.add_flow(tree)
    await complete(driver, "one", value=b"1")
    again = await queue.add_flow(tree)
    assert [again.job.is_duplicate, *(child.job.is_duplicate for child in again.children)] == [
        True, True, True
    ]  # fmt: skip
    await complete(driver, "two", value=b"2")
    third = await queue.add_flow(tree)
    assert third.job.is_duplicate
    assert await driver.state("parent") == "waiting"
    assert (await driver.history("parent")).count("waiting") == 1
    assert len(await queue.get_children_values("parent")) == 2


async def test_a_job_that_exists_joins_a_parent_and_counts_when_it_has_ended(
    driver: Driver, queue: Queue
) -> None:
    await driver.add("ended", "active", "waiting")
    jobs = await taken(driver, 2)
    await driver.finish(settle(jobs["ended"], value=b"9"))
    await queue.add_flow(node("early", node("ended")))
    await queue.add_flow(node("late", node("active"), node("waiting")))

    assert await states(driver, ["early", "late"]) == ["waiting", "waiting-children"]
    await driver.finish(settle(jobs["active"], value=b"1"))
    await complete(driver, "waiting", "early", value=b"2")
    assert await driver.state("late") == "waiting"
    assert await queue.get_children_values("early") == {f"{queue.name}:ended": 9}
    assert await queue.get_children_values("late") == {
        f"{queue.name}:active": 1,
        f"{queue.name}:waiting": 2,
    }


async def test_a_child_that_was_removed_lately_is_not_waited_for(
    driver: Driver, queue: Queue
) -> None:
    await driver.add("removed")
    await driver.finish(settle(await driver.take_one(), rule=KEEP_NONE))
    flow = await queue.add_flow(node("parent", node("removed")))
    assert flow.children[0].job.is_duplicate
    assert await driver.state("parent") == "waiting"


async def test_children_cannot_join_a_parent_that_has_ended_or_never_was(
    driver: Driver, queue: Queue
) -> None:
    await driver.add("ended")
    await complete(driver, "ended")
    for parent in ("ended", "nobody"):
        with pytest.raises(ParentMissing, match=f"{parent} does not exist or has ended"):
            await queue.add_children(f"{queue.name}:{parent}", [node("child")])
    assert await driver.state("child") is None


async def test_a_child_that_is_parted_is_not_waited_for(driver: Driver, queue: Queue) -> None:
    await queue.add_flow(node("parent", node("one"), node("two")))
    assert await queue.remove_child_dependency("one", f"{queue.name}:parent")
    assert not await queue.remove_child_dependency("one")
    assert await driver.state("parent") == "waiting-children"
    assert await queue.remove_child_dependency("two")
    assert await driver.state("parent") == "waiting"


async def test_a_tree_is_read_to_a_depth_and_a_width(
    driver: Driver, other: Driver, queue: Queue
) -> None:
    away = node("away", node("leaf"), queue_name=other.queue_name)
    await queue.add_flow(node("root", away, *(node(f"child-{k}") for k in range(5))))
    await complete(driver, "child-0", "child-1")

    whole = await queue.get_flow("root")
    assert whole is not None
    assert {child.job.id for child in whole.children} == {"away", *(f"child-{k}" for k in range(5))}
    by_id = {child.job.id: child for child in whole.children}
    assert shape(by_id["away"]) == {"away": ["leaf"]}
    assert by_id["child-0"].job.state == "completed"
    narrow = await queue.get_flow("root", depth=2, max_children=3)
    assert narrow is not None
    assert len(narrow.children) == 3
    assert all(not child.children for child in narrow.children)
    assert await queue.get_flow("nobody") is None


async def test_children_come_in_pages(driver: Driver, queue: Queue) -> None:
    await queue.add_flow(node("parent", *(node(f"child-{k:03}") for k in range(200))))
    cursor, seen = 0, set[str]()
    while True:
        page = await queue.get_dependencies("parent", "unprocessed", cursor=cursor, count=50)
        assert len(page.children) < 200
        seen |= page.children.keys()
        cursor = page.cursor
        if not cursor:
            break
    assert len(seen) == 200


async def test_a_chain_with_a_group_runs_step_by_step(driver: Driver, queue: Queue) -> None:
    await queue.add_flow(
        chain(node("first"), group(node("left"), node("right", node("under"))), node("last"))
    )
    await complete(driver, "first")
    await complete(driver, "left", "under")
    await complete(driver, "right")
    await complete(driver, "last")


async def test_a_chord_calls_back_when_all_have_ended(driver: Driver, queue: Queue) -> None:
    await queue.add_flow(chord([node("one"), node("two")], node("callback")))
    await complete(driver, "one", "two")
    await complete(driver, "callback")


async def test_what_is_no_flow_is_refused_before_anything_is_added(
    queue: Queue, redis_url: str
) -> None:
    loop: list[FlowJob] = []
    circle = FlowJob(name="circle", children=loop)
    loop.append(circle)
    for flow, why in (
        (circle, "among its own children"),
        (node("parent", node("twice"), node("twice")), "is twice in the flow"),
        (node("parent", *(FlowJob(name="x") for _ in range(250))), "a flow of 251 jobs"),
        (
            node("parent", node("x", group="g"), *(FlowJob(name="x") for _ in range(99))),
            "at most 100 with groups",
        ),
        (node("parent", node("x", queue_name="a b")), "queue name"),
        (
            chain(*(group(*(FlowJob(name="x") for _ in range(45))) for _ in "ab"), node("last")),
            "a flow of 2070 links",
        ),
    ):
        with pytest.raises(InvalidOption, match=why):
            await queue.add_flow(flow)
    with pytest.raises(InvalidOption, match="ends with one job"):
        chain(node("first"), group(node("one"), node("two")))
    with pytest.raises(InvalidOption, match="exclude each other"):
        JobOptions(**IGNORE, **REMOVE)
    async with FlowProducer(redis_url) as producer:
        with pytest.raises(InvalidOption, match="needs a queue_name"):
            await producer.add(FlowJob(name="x"))
    assert set((await queue.get_job_counts()).values()) == {0}
