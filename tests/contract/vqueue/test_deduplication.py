"""Deduplication: one job stands for all that are added with the same id."""

from typing import Any

import pytest

from tests.support.driver import Driver, expire, ids, settle
from tests.support.workers import ended
from vqueue import Deduplication, InvalidOption, Job, JobState, NewJob, Queue, Worker

SIMPLE = b'{"deduplication":{"id":"d"}}'
LAST = b'{"deduplication":{"id":"d","keep_last":true}}'


def counted(queue_counts: dict[JobState, int]) -> int:
    """The number of jobs in all states."""
    return sum(queue_counts.values())


async def told(driver: Driver) -> list[tuple[str, dict[str, Any]]]:
    """The deduplicated events."""
    return [(e.job_id, e.data) for e in await driver.events() if e.name == "deduplicated"]


# -- until the job has ended -----------------------------------------------------------


async def test_jobs_of_one_call_are_deduplicated_too(queue: Queue) -> None:
    options = queue.job_options(deduplication=Deduplication(id="d"))
    jobs = await queue.add_bulk([NewJob(name="task", data=n, options=options) for n in range(5)])
    assert [job.is_deduplicated for job in jobs] == [False, True, True, True, True]
    assert len({job.id for job in jobs}) == 1
    assert counted(await queue.get_job_counts()) == 1


@pytest.mark.parametrize("priority", [0, 7])
async def test_a_deduplicated_job_goes_to_its_own_place(
    queue: Queue, driver: Driver, priority: int
) -> None:
    job = await queue.add("task", priority=priority, deduplication=Deduplication(id="d"))
    assert await driver.state(job.id) == ("prioritized" if priority else "waiting")
    assert ids(await driver.take(2)) == [job.id]


async def test_the_id_is_free_when_a_worker_has_finished_the_job(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    async def handler(job: Job) -> None:
        if job.data == "fail":
            raise RuntimeError

    async with Worker(queue_name, handler, redis_url):
        for data in ("fail", "succeed", "succeed"):
            job = await queue.add("task", data, deduplication=Deduplication(id="d"))
            assert not job.is_deduplicated
            await ended(queue, job.id)
    assert await queue.get_deduplication_job_id("d") is None


async def test_the_id_is_free_when_the_job_has_stalled_too_often(driver: Driver) -> None:
    await driver.add("first", options=LAST, place="0*")
    job = await driver.take_one()
    await driver.add("second", options=LAST, place="0*")
    await expire(driver, job.token)
    await driver.sweep(max_stalled=0)
    assert await driver.state("first") == "failed"
    assert await driver.state("second") == "waiting"


async def test_a_repeated_add_of_the_owner_is_a_duplicate(driver: Driver) -> None:
    await driver.add("first", options=SIMPLE, place="0*")
    assert await driver.add("first", options=SIMPLE, place="0*") == [0]


async def test_an_owner_that_ended_unnoticed_does_not_stand_for_anyone(driver: Driver) -> None:
    await driver.add("first", options=SIMPLE, place="0*")
    # as a worker of an older version settles it
    await driver.finish(settle(await driver.take_one(), rule="-1 -1"))
    assert await driver.add("second", options=SIMPLE, place="0*") == [1]


async def test_a_removed_key_lets_the_next_one_in(queue: Queue) -> None:
    once = Deduplication(id="d")
    await queue.add("task", deduplication=once)
    assert await queue.remove_deduplication_key("d")
    assert not await queue.remove_deduplication_key("d")
    assert not (await queue.add("task", deduplication=once)).is_deduplicated
    assert counted(await queue.get_job_counts()) == 2


# -- for a time ------------------------------------------------------------------------


# -- debounce --------------------------------------------------------------------------


async def test_jobs_of_one_call_replace_each_other(queue: Queue) -> None:
    options = queue.job_options(delay=60, deduplication=Deduplication(id="d", replace=True))
    jobs = await queue.add_bulk([NewJob(name="task", data=n, options=options) for n in range(4)])
    found = await queue.get_jobs([job.id for job in jobs])
    assert [job and job.data for job in found] == [None, None, None, 3]


# -- the newest one once more ----------------------------------------------------------


async def test_an_add_between_two_attempts_is_kept_aside(driver: Driver) -> None:
    await driver.add("first", options=LAST, place="0*")
    await driver.finish(settle(await driver.take_one(), "delayed", rule="1"))
    assert await driver.add("second", options=LAST, place="5*", delay_ms=7) == ["first"]
    again = await driver.take_when_due()
    assert again.id == b"first"
    await driver.finish(settle(again, rule="-1 -1 *"))
    assert await driver.history("second") == ["added", "delayed"]
    assert (await driver.take_when_due()).id == b"second"


async def test_a_job_that_has_not_started_stands_for_those_that_follow(driver: Driver) -> None:
    await driver.add("first", options=LAST, place="0*")
    await driver.add("second", options=LAST, place="0*")
    await driver.finish(settle(await driver.take_one(), rule="-1 -1 *"))
    assert (await driver.take()).jobs == []


async def test_a_repeated_finish_makes_the_kept_job_once(driver: Driver) -> None:
    await driver.add("first", options=LAST, place="0*")
    job = await driver.take_one()
    await driver.add("second", options=LAST, place="0*")
    for status in (1, 2):
        done = await driver.finish(settle(job, rule="-1 -1 *"))
        assert done.statuses == [status]
    assert (await driver.history("second")).count("added") == 1


@pytest.mark.parametrize("removal", ["remove", "drain", "clean"])
async def test_what_is_kept_aside_enters_when_its_owner_is_removed(
    driver: Driver, queue: Queue, removal: str
) -> None:
    await driver.add("first", options=LAST, place="0*")
    await driver.finish(settle(await driver.take_one(), "waiting"))
    assert await driver.add("second", options=LAST, place="0*") == ["first"]
    await {"remove": lambda: queue.remove("first"), "drain": queue.drain}.get(
        removal, lambda: queue.clean(state=JobState.WAITING, limit=1)
    )()
    assert await driver.state("first") is None
    assert ids(await driver.take(2)) == ["second"]
    assert await queue.get_deduplication_job_id("d") == "second"
    assert await driver.history("second") == ["added", "waiting", "active"]


THROTTLE = b'{"deduplication":{"id":"d","ttl":60000}}'


@pytest.mark.parametrize("is_over", [False, True])
async def test_what_is_kept_aside_for_an_owner_with_a_time_enters_when_it_has_ended(
    driver: Driver, queue: Queue, is_over: bool
) -> None:
    await driver.add("first", options=THROTTLE, place="0*")
    job = await driver.take_one()
    assert await driver.add("second", options=LAST, place="0*") == ["first"]
    if is_over:
        await driver.redis("PEXPIRE", driver.keys.dedup_owner("d"), 0)
    await driver.finish(settle(job, rule="-1 -1 *"))
    assert ids(await driver.take(2)) == ["second"]
    assert await queue.get_deduplication_job_id("d") == "second"


async def test_what_is_kept_aside_outlives_the_key_that_was_removed(
    driver: Driver, queue: Queue
) -> None:
    await driver.add("first", options=LAST, place="0*")
    job = await driver.take_one()
    await driver.add("second", options=LAST, place="0*")
    assert await queue.remove_deduplication_key("d")
    await driver.finish(settle(job, rule="-1 -1 *"))
    assert ids(await driver.take(2)) == ["second"]


@pytest.mark.parametrize("is_removed", [True, False])
async def test_what_is_kept_aside_is_no_orphan_while_its_owner_runs(
    driver: Driver, queue: Queue, is_removed: bool
) -> None:
    await driver.add("first", options=LAST if is_removed else THROTTLE, place="0*")
    job = await driver.take_one()
    await driver.add("second", options=LAST, place="0*")
    if is_removed:
        await queue.remove_deduplication_key("d")
    else:
        await driver.redis("PEXPIRE", driver.keys.dedup_owner("d"), 0)
    assert await queue.remove_orphaned_jobs() == 0
    await driver.check()
    await driver.finish(settle(job, rule="-1 -1 *"))
    assert ids(await driver.take(2)) == ["second"]


@pytest.mark.parametrize("is_kept", [True, False])
async def test_what_is_kept_aside_is_an_orphan_when_its_owner_has_ended_unnoticed(
    driver: Driver, queue: Queue, is_kept: bool
) -> None:
    await driver.add("first", options=LAST, place="0*")
    job = await driver.take_one()
    await driver.add("second", options=LAST, place="0*")
    await queue.remove_deduplication_key("d")
    # as a worker of an older version settles it
    await driver.finish(settle(job, rule="-1 -1" if is_kept else "0 -1"))
    await queue.remove_orphaned_jobs()
    assert await driver.redis("EXISTS", driver.keys.dedup_next("d")) == 0


async def test_what_was_kept_aside_in_an_obliterated_queue_does_not_enter_the_next_one(
    driver: Driver, queue: Queue
) -> None:
    await driver.add("first", options=LAST, place="0*")
    await driver.take_one()
    await driver.add("second", options=LAST, place="0*")
    await queue.remove_deduplication_key("d")
    done = await driver.scripts.obliterate(force=True)
    # as a Queue of an older version adds it: without a look at the deduplication id
    await driver.add("third", options=LAST)
    await driver.finish(settle(await driver.take_one(), rule="-1 -1 *"))
    assert (await driver.take(2)).jobs == []
    assert done.obstacle == 0
    await queue.remove_orphaned_jobs()


# -- what is refused -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"id": "a b"}, "deduplication id 'a b' is refused"),
        ({"id": "d", "ttl": 0}, "at least 1 ms"),
        ({"id": "d", "extend": True}, "needs a ttl"),
        ({"id": "d", "keep_last_if_active": True, "ttl": 1}, "excludes ttl and replace"),
        ({"id": "d", "keep_last_if_active": True, "replace": True}, "excludes ttl and replace"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    settings: dict[str, Any], named: str
) -> None:
    with pytest.raises(InvalidOption, match=named):
        Deduplication(**settings)
