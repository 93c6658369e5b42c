"""Obliterate on a queue in use: what belonged to it counts no more, what comes after it stays.

`raze` does what `Queue.obliterate` does at its one moment; `remove_orphaned_jobs` then looks for
the keys, as obliterate does. What a test does between the two, others may do meanwhile.
"""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.support.driver import KEEP_NONE, Driver, ids, settle
from tests.support.flows import node
from tests.support.queue_dump import keys_left
from tests.support.waiting import until
from vqueue import (
    Cancellation,
    Deduplication,
    FlowProducer,
    JobNotFound,
    JobOptions,
    JobState,
    NewJob,
    Queue,
    QueueEvents,
    RateLimit,
    Repeat,
)
from vqueue.clean_scripts import Obliterated
from vqueue.doctor import Verdict, examine
from vqueue.job_events import GAP, JobEvent, version_of


async def raze(driver: Driver) -> Obliterated:
    """Obliterate, and leave the keys of single jobs and groups."""
    done = await driver.scripts.obliterate(force=True)
    assert done.obstacle == 0
    return done


@pytest.fixture
async def above(redis_url: str, queue_name: str) -> AsyncIterator[Queue]:
    """The queue of the parents."""
    async with Queue(f"{queue_name}-above", redis_url) as queue:
        yield queue


async def state_above(above: Queue) -> JobState | None:
    parent = await above.get_job("parent")
    return parent and parent.state


# -- flows -----------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["waiting", "delayed", "active", "waiting-children"])
async def test_a_parent_waits_no_more_for_a_child_of_an_obliterated_queue(
    driver: Driver, queue: Queue, above: Queue, redis_url: str, state: str
) -> None:
    delay = 60 if state == "delayed" else 0
    below = [node("grandchild", queue_name=queue.name)] if state == "waiting-children" else []
    child = node("child", *below, queue_name=queue.name, delay=delay)
    async with FlowProducer(redis_url) as producer:
        await producer.add(node("parent", child, queue_name=above.name))
    if state == "active":
        await driver.take_one()
    assert await driver.state("child") == state
    await raze(driver)
    assert await driver.state("child") is None
    await queue.remove_orphaned_jobs()
    assert await state_above(above) == "waiting"
    assert await keys_left(driver.client, driver.keys) == {"ev"}


async def test_a_parent_of_an_obliterated_queue_does_not_come_back_with_the_end_of_its_child(
    driver: Driver, queue: Queue, redis_url: str, queue_name: str
) -> None:
    below = Driver(redis_url, f"{queue_name}-below")
    async with FlowProducer(redis_url) as producer:
        child = node("child", queue_name=below.queue_name)
        await producer.add(node("parent", child, queue_name=queue_name))
    await raze(driver)
    await below.finish(settle(await below.take_one()))
    await below.close()
    assert sum((await queue.get_job_counts()).values()) == 0
    assert await queue.remove_orphaned_jobs() == 1
    assert await keys_left(driver.client, driver.keys) == {"ev"}


# -- what is made anew under an old name -------------------------------------------------


async def test_a_group_that_was_paused_or_full_takes_jobs_of_the_queue_after(
    driver: Driver, queue: Queue
) -> None:
    await queue.add("task", job_id="held", group="full")
    await queue.set_group_concurrency(1, "full")
    await driver.take_one()
    await queue.pause_group("paused")
    await queue.set_group_rate_limit(RateLimit(max=1, duration=60), "limited")
    await queue.add("task", job_id="let-in", group="limited")
    await driver.take_one()
    await raze(driver)
    for group in ("full", "paused", "limited"):
        await queue.add("task", job_id=f"new-{group}", group=group)
    await queue.remove_orphaned_jobs()
    assert len((await driver.take(5)).jobs) == 3


async def test_a_group_keeps_what_was_set_and_runs_since_the_queue_was_obliterated(
    driver: Driver, queue: Queue
) -> None:
    await queue.pause_group("g")
    await raze(driver)
    assert not (await queue.get_group("g")).is_paused
    await queue.set_group_concurrency(1, "g")
    await queue.add_bulk([NewJob(name="task", options=JobOptions(group="g"))] * 2)
    (first,) = (await driver.take(5)).jobs
    await queue.remove_orphaned_jobs()
    group = await queue.get_group("g")
    assert (group.concurrency, group.active, group.is_paused) == (1, 1, False)
    assert (await driver.take(5)).jobs == []
    await driver.finish(settle(first))
    assert len((await driver.take(5)).jobs) == 1


@pytest.mark.parametrize("is_flow", [False, True])
async def test_an_id_is_free_at_the_moment_of_obliteration(
    driver: Driver, queue: Queue, above: Queue, is_flow: bool
) -> None:
    async with FlowProducer(driver.redis_url) as producer:
        old = node("job", node("child", queue_name=queue.name), queue_name=queue.name)
        await producer.add(node("parent", old, queue_name=above.name))
        await queue.add_job_log("job", "old")
        await raze(driver)
        if is_flow:
            await producer.add(node("job", queue_name=queue.name))
        else:
            assert await driver.add("job") == [1]
    await queue.remove_orphaned_jobs()
    assert await state_above(above) == "waiting"
    assert ids(await driver.take(5)) == ["job"]
    assert await queue.get_job_logs("job") == []


async def test_the_end_of_a_job_is_remembered_only_by_its_own_queue(
    driver: Driver, queue: Queue
) -> None:
    """Its tombstone, and the deduplication id that it has for a time."""
    throttle = Deduplication(id="d", ttl=3600)
    for job_id in ("old", "new"):
        await raze(driver)
        # from its end on tombstones are looked at
        await driver.add(f"first-{job_id}")
        await driver.finish(settle(await driver.take_one(), rule=KEEP_NONE))
        assert await driver.add("same") == [1]
        added = await queue.add("task", job_id=job_id, deduplication=throttle)
        assert added.id == job_id
        for job in (await driver.take(2)).jobs:
            await driver.finish(settle(job, rule=KEEP_NONE))
    await queue.remove_orphaned_jobs()
    assert await driver.add("same") == [0]
    assert (await queue.add("task", deduplication=throttle)).id == "new"


async def test_partial_results_stay_that_were_sent_since(driver: Driver, queue: Queue) -> None:
    await driver.add("old")
    for job_id in ("old", "new"):
        job = await driver.take_one()
        place = f"{version_of(*map(int, job.token.split(b'-')))}-1"
        await driver.scripts.partial(
            consumer="w1", keep=9, results=[(job_id, job.token, place, b"1")]
        )
        if job_id == "old":
            await raze(driver)
            await driver.add("new")
    await queue.remove_orphaned_jobs()
    assert {n for n in await keys_left(driver.client, driver.keys) if "part" in n} == {"part:new"}


async def test_a_scheduler_of_the_same_id_begins_anew(driver: Driver, queue: Queue) -> None:
    await queue.upsert_job_scheduler("s", Repeat(every=3600, limit=1), NewJob(name="old"))
    await raze(driver)
    await queue.upsert_job_scheduler("s", Repeat(every=3600, limit=1), NewJob(name="new"))
    await queue.remove_orphaned_jobs()
    (job,) = (await queue.get_jobs_in(JobState.WAITING, JobState.DELAYED)).jobs
    assert job.name == "new"


async def test_no_call_by_hand_brings_an_obliterated_job_back(driver: Driver, queue: Queue) -> None:
    await driver.add("failed", "delayed")
    await driver.finish(settle(await driver.take_one(), "failed"))
    await driver.add("later", delay_ms=60_000)
    await raze(driver)
    for change in (
        queue.retry("failed"),
        queue.promote("later"),
        queue.change_delay("later", 1),
        queue.change_priority("delayed", 5),
        queue.update_data("delayed", 1),
    ):
        with pytest.raises(JobNotFound):
            await change
    assert await queue.cancel("delayed") is Cancellation.UNKNOWN
    assert await queue.remove_orphaned_jobs() == 3
    assert sum((await queue.get_job_counts()).values()) == 0


async def test_the_doctor_names_keys_that_an_obliteration_has_left(
    driver: Driver, queue: Queue
) -> None:
    await driver.add("job")
    await raze(driver)

    async def verdicts() -> set[Verdict]:
        findings = await examine(driver.client, driver.keys)
        return {one.verdict for one in findings if "remove_orphaned_jobs" in one.found}

    assert await verdicts() == {Verdict.WARNING}
    await queue.remove_orphaned_jobs()
    assert await verdicts() == set()


# -- readers ---------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["waiting", "active"])
async def test_who_waits_for_a_result_hears_that_the_queue_was_obliterated(
    driver: Driver, queue: Queue, state: str
) -> None:
    await driver.add("job")
    if state == "active":
        await driver.take_one()
    result = asyncio.ensure_future(queue.result("job"))
    async with queue.partial_results("job") as partials, asyncio.timeout(10):
        reading = asyncio.ensure_future(anext(aiter(partials)))
        await until_read(driver)
        await queue.obliterate(force=True)
        for waiting in (result, reading):
            with pytest.raises(JobNotFound):
                await waiting


async def until_read(driver: Driver) -> None:
    """Return when somebody waits for events."""

    async def is_read() -> bool:
        clients = (await driver.redis("CLIENT", "LIST")).decode().splitlines()
        return sum("cmd=xread " in client for client in clients) >= 2

    await until(is_read, what="readers of events and partial results")


async def test_readers_are_told_what_is_gone_and_number_and_time_of_events_go_on(
    driver: Driver, queue: Queue, queue_name: str, redis_url: str
) -> None:
    await driver.add("old")
    # a clock that has run ahead
    await driver.redis("HSET", driver.keys.meta, "ms", await driver.now_ms() + 60_000, "seq", 7)
    await driver.add("older", place="5")
    await queue.remove("older")
    token = (await driver.take_one()).token
    before = (await driver.events())[-1]
    async with QueueEvents(queue_name, redis_url) as reader, asyncio.timeout(10):
        await queue.obliterate(force=True)
        assert await keys_left(driver.client, driver.keys) == {"ev"}
        assert await driver.redis("PTTL", driver.keys.ev) > 0
        async with QueueEvents(queue_name, redis_url) as later:
            await driver.add("new")
            events = [event async for event in take_some(reader, 4)]
            assert [event.name async for event in take_some(later, 2)] == ["added", "waiting"]
    assert [event.name for event in events] == ["obliterated", "removed", "added", "waiting"]
    assert GAP not in {event.name for event in events}
    assert [event.number for event in events] == [before.number + n for n in range(1, 5)]
    assert before.version < events[0].version
    assert (await driver.take_one()).token > token
    assert await driver.redis("PTTL", driver.keys.ev) == -1


async def take_some(reader: QueueEvents, count: int) -> AsyncIterator[JobEvent]:
    async for event in reader:
        yield event
        count -= 1
        if not count:
            return
