"""Parents that are too many for one call hear of their child, whoever removed it.

The child's queue has no worker, but in the test that says so.
"""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from tests.support.driver import Driver, settle
from tests.support.flows import add_parents, node
from tests.support.queue_dump import keys_left
from tests.support.waiting import until
from vqueue import Deduplication, Job, JobState, Queue, Worker
from vqueue.flows import FlowProducer

Removal = Callable[[Queue], Awaitable[object]]

_REMOVALS: dict[str, Removal] = {
    "remove": lambda queue: queue.remove("child"),
    "clean": lambda queue: queue.clean(state=JobState.WAITING),
    "drain": lambda queue: queue.drain(),
    "obliterate": lambda queue: queue.obliterate(),
}


@pytest.fixture
async def below(redis_url: str, queue_name: str) -> AsyncIterator[Queue]:
    """The queue of the children."""
    async with Queue(f"{queue_name}-below", redis_url) as queue:
        yield queue


async def count_of(queue: Queue, state: JobState) -> int:
    return (await queue.get_job_counts())[state]


@pytest.mark.parametrize("removal", _REMOVALS.values(), ids=_REMOVALS)
async def test_all_parents_hear_that_their_child_was_removed(
    driver: Driver, queue: Queue, below: Queue, removal: Removal
) -> None:
    await add_parents(driver.redis_url, queue.name, f"{below.name}:child", 600)
    await removal(below)
    assert await count_of(queue, JobState.WAITING) == 600
    await driver.check()


@pytest.mark.parametrize("removal", _REMOVALS.values(), ids=_REMOVALS)
async def test_a_removal_that_broke_off_before_all_parents_heard_can_be_repeated(
    driver: Driver, queue: Queue, below: Queue, removal: Removal
) -> None:
    await add_parents(driver.redis_url, queue.name, f"{below.name}:child", 600)
    await below._scripts.remove(job_id="child", children=True)
    await below._scripts.tell_some_parents()
    assert 0 < await count_of(queue, JobState.WAITING) < 600
    await removal(below)
    assert await count_of(queue, JobState.WAITING) == 600


async def test_a_queue_is_not_obliterated_nor_its_keys_orphans_while_parents_are_to_be_told(
    driver: Driver, queue: Queue, below: Queue
) -> None:
    await add_parents(driver.redis_url, queue.name, f"{below.name}:child", 600)
    await below._scripts.remove(job_id="child", children=True)
    assert await below._scripts.obliterate(force=True) == (-1, 0)
    await below.remove_orphaned_jobs()
    await below._scripts.tell_parents()
    assert await count_of(queue, JobState.WAITING) == 600
    unlisted = f"{below.keys.prefix}untold:1"
    await driver.redis("SADD", unlisted, "queue:p0")
    await below.remove_orphaned_jobs()
    assert await driver.redis("EXISTS", unlisted) == 0


async def test_all_parents_fail_with_a_child_that_is_cancelled(
    driver: Driver, queue: Queue, below: Queue
) -> None:
    await add_parents(driver.redis_url, queue.name, f"{below.name}:child", 600)
    await below.cancel("child")
    assert await count_of(queue, JobState.FAILED) == 600
    await driver.check()


async def test_all_parents_hear_that_a_newer_job_has_replaced_their_child(
    driver: Driver, queue: Queue, below: Queue
) -> None:
    newest = Deduplication(id="d", replace=True)
    await below.add("task", job_id="child", delay=60, deduplication=newest)
    await add_parents(driver.redis_url, queue.name, f"{below.name}:child", 600)
    await below.add("task", job_id="newer", delay=60, deduplication=newest)
    assert await count_of(queue, JobState.WAITING) == 600


async def test_all_parents_hear_of_a_child_that_one_of_them_has_removed(
    driver: Driver, queue: Queue, below: Queue
) -> None:
    await add_parents(driver.redis_url, queue.name, f"{below.name}:child", 600)
    await below.add_flow(node("own", node("child")))
    assert await below.remove_unprocessed_children("own") == 1
    assert await count_of(queue, JobState.WAITING) == 600


async def test_parents_go_on_waiting_for_a_child_that_runs_again_before_they_heard(
    driver: Driver, queue: Queue, below: Queue
) -> None:
    await add_parents(driver.redis_url, queue.name, f"{below.name}:child", 600)
    await below._scripts.cancel(job_id="child", reason=b'"cancelled"')
    await below.retry("child")
    await below._scripts.tell_parents()
    assert await count_of(queue, JobState.WAITING_CHILDREN) == 600
    assert len(await below.get_parents("child")) == 600
    await below.remove("child")
    assert await count_of(queue, JobState.WAITING) == 600


async def test_parents_hear_how_a_child_has_ended_that_ran_again_before_they_heard(
    driver: Driver, queue: Queue, below: Queue
) -> None:
    await add_parents(driver.redis_url, queue.name, f"{below.name}:child", 600)
    await below._scripts.cancel(job_id="child", reason=b'"cancelled"')
    await below.retry("child")
    beneath = Driver(driver.redis_url, below.name)
    await beneath.finish(settle(await beneath.take_one()))
    await beneath.close()
    await below._scripts.tell_parents()
    assert await count_of(queue, JobState.WAITING) == 600
    assert await queue.get_children_values("p0") == {f"{below.name}:child": "done"}


async def test_a_later_job_of_the_same_id_does_not_get_the_parents_of_the_one_before(
    driver: Driver, queue: Queue, below: Queue
) -> None:
    await add_parents(driver.redis_url, queue.name, f"{below.name}:child", 600)
    await below._scripts.cancel(job_id="child", reason=b'"cancelled"')
    await below._scripts.remove(job_id="child", children=True)
    await driver.pass_millisecond()
    await below.add("task", job_id="child")
    await below._scripts.tell_parents()
    assert await count_of(queue, JobState.FAILED) == 600
    assert await below.get_parents("child") == []


async def test_parents_in_an_obliterated_queue_take_nobody_along_that_waits_for_them(
    driver: Driver, queue: Queue, below: Queue
) -> None:
    async with FlowProducer(driver.redis_url) as producer:
        middle = node("middle", node("child", queue_name=below.name), queue_name=below.name)
        await producer.add(node("top", middle, queue_name=queue.name))
    await below.obliterate()
    assert await driver.state("top") == "waiting"
    assert await keys_left(driver.client, below.keys) == {"ev"}


async def test_parents_of_active_jobs_hear_that_these_were_obliterated(
    driver: Driver, queue: Queue, below: Queue
) -> None:
    await add_parents(driver.redis_url, queue.name, f"{below.name}:child", 600)
    await below._scripts.take(consumer="w", want=1, lease_ms=60_000)
    await below.obliterate(force=True)
    assert await count_of(queue, JobState.WAITING) == 600
    assert await keys_left(driver.client, below.keys) == {"ev"}


async def test_what_parents_are_to_be_told_outlives_the_queue_of_their_child(
    driver: Driver, queue: Queue, below: Queue, redis_url: str
) -> None:
    """Their child fails with one of its own, whose queue keeps what they are to be told."""
    async with Queue(f"{queue.name}-middle", redis_url) as middle:
        await add_parents(redis_url, queue.name, f"{middle.name}:parent", 600)
        own_child = node("child", queue_name=below.name)
        await middle.add_children(f"{middle.name}:parent", [own_child])
        await below._scripts.cancel(job_id="child", reason=b'"cancelled"')
        assert await count_of(queue, JobState.WAITING_CHILDREN) == 600
        await middle.obliterate()
        await below.drain()
        assert await count_of(queue, JobState.FAILED) == 600


async def test_a_worker_tells_all_parents_of_what_it_has_completed(
    driver: Driver, queue: Queue, below: Queue
) -> None:
    async def handler(job: Job) -> None:
        pass

    await add_parents(driver.redis_url, queue.name, f"{below.name}:child", 600)

    async def are_all_free() -> bool:
        return await count_of(queue, JobState.WAITING) == 600

    async with Worker(below.name, handler, driver.redis_url, lock_duration=1):
        await until(are_all_free, what="all parents to be told")
    await driver.check()
