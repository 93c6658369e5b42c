"""Jobs with more parents than one script may look at: the work is done in steps."""

import pytest

from tests.support.driver import KEEP_ALL, KEEP_NONE, Driver, settle
from tests.support.flows import add_parents, complete, fail, node
from vqueue import InvalidOption, JobState, Queue
from vqueue.edit_scripts import Resets, Retried
from vqueue.flow_scripts import Dependency
from vqueue.flows import FlowProducer, chain, group


async def count_of(queue: Queue, state: JobState) -> int:
    return (await queue.get_job_counts())[state]


@pytest.mark.parametrize("rule", [KEEP_ALL, KEEP_NONE])
async def test_more_parents_than_a_call_can_tell_are_told_in_steps(
    driver: Driver, queue: Queue, rule: str
) -> None:
    await add_parents(driver.redis_url, queue.name, "child", 1200)
    await driver.finish(settle(await driver.take_one(), rule=rule))
    assert await count_of(queue, JobState.WAITING_CHILDREN) == 1200

    assert await driver.scripts.tell_some_parents()
    assert await count_of(queue, JobState.WAITING) == 100
    await driver.scripts.tell_parents()
    assert await count_of(queue, JobState.WAITING) == 1200
    assert await driver.redis("EXISTS", driver.keys.prefix + "notices") == 0
    assert len(await queue.get_parents("child")) == (1200 if rule == KEEP_ALL else 0)
    assert await queue.get_children_values("p7") == {f"{queue.name}:child": "done"}
    await driver.check()


async def test_children_of_many_parents_that_end_together_are_told_in_steps(
    driver: Driver, queue: Queue
) -> None:
    children = [node(f"c{number}") for number in range(5)]
    async with FlowProducer(driver.redis_url) as producer:
        await producer.add_bulk(
            [node(f"p{number}", *children, queue_name=queue.name) for number in range(80)]
        )
    await complete(driver, *(f"c{number}" for number in range(5)))
    # two have more than 100 parents together: those of all but one are not looked at
    assert len(await driver.redis("KEYS", f"{driver.keys.prefix}untold:*")) == 4

    await driver.scripts.tell_parents()
    assert await count_of(queue, JobState.WAITING) == 80
    assert len(await queue.get_children_values("p7")) == 5


async def test_jobs_with_many_parents_are_retried_in_steps(driver: Driver, queue: Queue) -> None:
    await driver.add("a", "b", "c", "d", "e")
    for job_id in "abcde":
        await fail(driver, job_id)
        strangers = [f"{queue.name}:gone{number}" for number in range(2000)]
        await driver.redis("SADD", driver.keys.job(job_id) + ":par", *strangers)
    await driver.redis("HSET", driver.keys.meta, "flows", 1)
    step = await driver.scripts.retry(
        resets=Resets(made=False, started=False), state="failed", most=5
    )
    assert isinstance(step, tuple)
    assert 0 < step[0] < 5
    assert await queue.retry_jobs() == 5 - step[0]
    assert await count_of(queue, JobState.WAITING) == 5


async def test_a_job_is_parted_from_many_parents_in_steps(driver: Driver, queue: Queue) -> None:
    await add_parents(driver.redis_url, queue.name, "child", 600)
    assert await queue.remove_child_dependency("child")
    assert await count_of(queue, JobState.WAITING) == 601
    assert await queue.get_parents("child") == []


async def test_children_that_wait_are_removed_beside_hundreds_that_run(
    driver: Driver, queue: Queue
) -> None:
    await queue.add_flow(node("root", *(node(f"runs-{n}") for n in range(249))))
    late = [node(f"late-{n}") for n in range(151)]
    await queue.add_children(f"{queue.name}:root", late)
    for _ in range(2):
        await driver.take(150)
    assert await queue.remove_unprocessed_children("root") == 100
    assert await count_of(queue, JobState.ACTIVE) == 300
    assert await count_of(queue, JobState.WAITING) == 0
    assert (await queue.get_dependencies_count("root"))[Dependency.UNPROCESSED] == 300


async def test_one_call_removes_few_children_and_tells_where_it_stopped(
    driver: Driver, queue: Queue
) -> None:
    await queue.add_flow(node("root", *(node(f"c{n}", node(f"under-{n}")) for n in range(100))))
    refs = [f"{queue.name}:c{n}" for n in range(100)]
    removed, dealt_with = await driver.scripts.remove_unprocessed_children(
        job_id="root", children=refs
    )
    assert (removed, dealt_with) == (50, 25)
    assert await driver.state("c24") is None
    assert await driver.state("c25") == "waiting-children"
    assert await queue.remove_unprocessed_children("root") == 150


async def test_a_job_that_is_looked_at_for_too_many_parents_is_not_removed_as_a_child(
    driver: Driver, queue: Queue
) -> None:
    await queue.add_flow(node("root", *(node(f"c{n}") for n in range(8))))
    for number in range(8):
        strangers = [f"{queue.name}:gone{n}" for n in range(200)]
        await driver.redis("SADD", driver.keys.job(f"c{number}") + ":par", *strangers)
    with pytest.raises(InvalidOption, match="more than 250 jobs"):
        await queue.remove("root")
    await driver.wipe()


async def test_a_parent_of_many_failed_children_is_retried_when_all_are_forgiven(
    driver: Driver, queue: Queue
) -> None:
    await driver.add("parent", "other")
    await fail(driver, "parent")
    await fail(driver, "other")
    failures = (value for n in range(600) for value in (f"{queue.name}:c{n}", '"broken"'))
    await driver.redis("HSET", driver.keys.job("parent") + ":bad", *failures)
    await driver.redis("HSET", driver.keys.meta, "flows", 1)
    step = await driver.scripts.retry(
        resets=Resets(made=False, started=False), state="failed", job_id="parent"
    )
    assert isinstance(step, Retried)
    assert (step.jobs, step.is_cut) == (0, True)
    assert await driver.state("parent") == "failed"
    assert await queue.retry_jobs() == 2
    assert await driver.state("parent") == "waiting"
    assert len(await queue.get_ignored_children_failures("parent")) == 600


async def test_all_parents_of_a_job_that_has_ended_are_free_when_they_are_added(
    driver: Driver, queue: Queue
) -> None:
    await add_parents(driver.redis_url, queue.name, "child", 1)
    await complete(driver, "child")
    async with FlowProducer(driver.redis_url) as producer:
        shared = node("child")
        await producer.add_bulk([node(f"q{n}", shared, queue_name=queue.name) for n in range(200)])
    assert await count_of(queue, JobState.WAITING) == 201
    await driver.check()


async def test_a_flow_that_is_added_again_changes_nothing(driver: Driver, queue: Queue) -> None:
    left, right = [node(f"l{n}") for n in range(3)], [node(f"r{n}") for n in range(3)]
    flow = chain(group(*left), group(*right), node("last"))
    await queue.add_flow(flow)
    await complete(driver, "l0", "l1", "l2")
    await complete(driver, "r0")
    before = (await driver.dump()).jobs
    await queue.add_flow(flow)
    assert (await driver.dump()).jobs == before
    assert (await queue.get_dependencies_count("last"))[Dependency.PROCESSED] == 1
    await complete(driver, "r1", "r2")
    await complete(driver, "last")


async def test_a_flow_that_is_added_again_tells_no_parent_twice(
    driver: Driver, queue: Queue
) -> None:
    flow = node("parent", node("child"))
    await queue.add_flow(flow)
    await complete(driver, "child")
    await queue.retry("child", JobState.COMPLETED)
    await queue.add_flow(flow)
    assert (await queue.get_dependencies_count("parent"))[Dependency.UNPROCESSED] == 0
    await complete(driver, "parent", "child")
