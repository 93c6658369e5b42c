"""Parents that are too many for one call hear of their child, whoever removed it.

The child's queue has no worker, but in the test that says so.
"""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from tests.support.driver import Driver
from tests.support.flows import add_parents, node
from tests.support.waiting import until
from vqueue import Job, JobState, Queue, Worker

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


async def test_all_parents_fail_with_a_child_that_is_cancelled(
    driver: Driver, queue: Queue, below: Queue
) -> None:
    await add_parents(driver.redis_url, queue.name, f"{below.name}:child", 600)
    await below.cancel("child")
    assert await count_of(queue, JobState.FAILED) == 600
    await driver.check()


async def test_all_parents_hear_of_a_child_that_one_of_them_has_removed(
    driver: Driver, queue: Queue, below: Queue
) -> None:
    await add_parents(driver.redis_url, queue.name, f"{below.name}:child", 600)
    await below.add_flow(node("own", node("child")))
    assert await below.remove_unprocessed_children("own") == 1
    assert await count_of(queue, JobState.WAITING) == 600


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
