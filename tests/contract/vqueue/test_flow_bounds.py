"""Jobs with more parents than one script may look at: the work is done in steps."""

import pytest

from tests.support.driver import KEEP_ALL, KEEP_NONE, Driver, settle
from tests.support.flows import add_parents, complete, fail, node
from vqueue import JobState, Queue
from vqueue.edit_scripts import Resets
from vqueue.flows import FlowProducer


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
            [node(f"p{number}", *children, queue_name=queue.name) for number in range(200)]
        )
    await complete(driver, *(f"c{number}" for number in range(5)))
    # two have more than 250 parents together: those of all but one are not looked at
    left = [f"{driver.keys.prefix}untold:{number}" for number in range(1, 6)]
    assert await driver.redis("EXISTS", *left) == 4

    await driver.scripts.tell_parents()
    assert await count_of(queue, JobState.WAITING) == 200
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
