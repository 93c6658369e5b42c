"""Removing many jobs: drain, clean, obliterate, orphans, events, and retention by the clock."""

from typing import Any

import pytest

from tests.support.driver import KEEP_NONE, Driver, ids, settle
from tests.support.flows import node
from tests.support.queue_dump import keys_left
from tests.support.waiting import until
from tests.support.workers import HeldHandler
from vqueue import (
    Deduplication,
    FlowJob,
    FlowProducer,
    InvalidOption,
    Job,
    JobState,
    NewJob,
    Queue,
    QueueBusy,
    QueueEvents,
    Repeat,
    Retention,
    Worker,
)


async def fill(driver: Driver) -> None:
    """Put two jobs into each state, named after it, but for waiting-children."""
    await driver.add("completed1", "completed2", "failed1", "failed2")
    for job in (await driver.take(4)).jobs:
        end = "completed" if job.id.startswith(b"c") else "failed"
        await driver.finish(settle(job, end))
    await driver.add("active1")
    await driver.add("active2", place="5")
    await driver.take(2)
    await driver.add("waiting1")
    await driver.add("waiting2", place="lifo")
    await driver.add("prioritized1", "prioritized2", place="5")
    await driver.add("delayed1", "delayed2", delay_ms=60_000)


async def left(driver: Driver) -> set[str]:
    """The ids of the jobs that are there."""
    return set((await driver.dump()).jobs)


# -- drain -----------------------------------------------------------------------------


@pytest.mark.parametrize("delayed", [False, True])
async def test_drain_removes_what_waits_in_line(
    driver: Driver, queue: Queue, delayed: bool
) -> None:
    await fill(driver)
    assert await queue.drain(delayed=delayed) == (6 if delayed else 4)
    kinds = {"active", "completed", "failed"} | (set() if delayed else {"delayed"})
    assert await left(driver) == {f"{kind}{n}" for kind in kinds for n in (1, 2)}
    assert (await driver.history("waiting1"))[-1] == "removed"


async def test_drain_removes_more_than_one_step_holds(driver: Driver, queue: Queue) -> None:
    for start in range(0, 600, 200):
        await driver.add(*(f"j{n}" for n in range(start, start + 200)))
        await driver.add(*(f"p{n}" for n in range(start, start + 200)), place="5")
    assert await queue.drain() == 1200
    assert await left(driver) == set()


async def test_drain_leaves_the_next_job_of_a_scheduler(driver: Driver, queue: Queue) -> None:
    await queue.upsert_job_scheduler("s", Repeat(every=3600), NewJob(name="task"))
    await driver.add("other", delay_ms=60_000)
    before = await left(driver)
    await queue.drain(delayed=True)
    assert await left(driver) == before - {"other"}


@pytest.mark.parametrize(
    "options", [{}, {"priority": 5}, {"lifo": True}, {"delay": 60}, {"group": "g"}], ids=str
)
@pytest.mark.parametrize("child", [{}, {"priority": 9}], ids=str)
async def test_drain_leaves_a_parent_whose_last_child_it_removes(
    driver: Driver, queue: Queue, options: dict[str, Any], child: dict[str, Any]
) -> None:
    await driver.add(*(f"other{number}" for number in range(150)))
    await queue.add_flow(node("parent", node("child", **child), **options))
    assert await queue.drain(delayed=True) == 151
    assert await left(driver) == {"parent"}
    assert await driver.state("parent") in ("waiting", "prioritized", "delayed")


async def test_a_job_that_is_taken_while_a_drain_looks_is_left(
    driver: Driver, queue: Queue
) -> None:
    await driver.add("first", "second")
    found = await driver.scripts.find_cleanable(state="waiting", before="", limit=9, cursor="")
    assert found.ids == ["first", "second"]
    await driver.take_one()
    cleaned = await driver.scripts.clean_jobs(state="waiting", before="", ids=found.ids)
    assert cleaned.ids == ["second"]
    assert await driver.state("first") == "active"


async def test_drained_jobs_free_their_deduplication_ids(driver: Driver, queue: Queue) -> None:
    await driver.add("job", options=b'{"deduplication":{"id":"d"}}', place="0*")
    await queue.drain()
    assert await queue.get_deduplication_job_id("d") is None


# -- clean -----------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["waiting", "prioritized", "delayed", "completed", "failed"])
async def test_clean_removes_the_jobs_of_one_state(
    driver: Driver, queue: Queue, redis_url: str, queue_name: str, state: str
) -> None:
    await fill(driver)
    before = await left(driver)
    removed = await queue.clean(state=JobState(state))
    assert set(removed) == {f"{state}1", f"{state}2"}
    assert await left(driver) == before - set(removed)
    async with QueueEvents(queue_name, redis_url, last_event_id="0") as events:
        async for event in events:
            if event.name == "cleaned":
                assert (event.job_id, event.data) == ("", {"count": 2})
                break


@pytest.mark.parametrize("state", ["waiting", "prioritized", "delayed", "completed", "failed"])
async def test_clean_leaves_jobs_that_are_younger_than_the_grace(
    driver: Driver, queue: Queue, state: str
) -> None:
    await fill(driver)
    before = await left(driver)
    assert await queue.clean(3600, state=JobState(state)) == []
    assert await left(driver) == before


async def test_clean_stops_at_its_limit_with_the_oldest(driver: Driver, queue: Queue) -> None:
    await driver.add(*(f"j{n:03}" for n in range(250)))
    jobs = (await driver.take(250)).jobs
    for start in range(0, 250, 50):
        await driver.finish(*(settle(job) for job in jobs[start : start + 50]))
    removed = await queue.clean(limit=7)
    assert sorted(removed) == [f"j{n:03}" for n in range(7)]
    assert len(await queue.clean()) == 243


async def test_clean_tells_parents_that_they_wait_for_nothing(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    async with FlowProducer(redis_url) as flows:
        node = await flows.add(
            FlowJob(
                name="parent",
                queue_name=queue_name,
                children=[FlowJob(name="child", queue_name=queue_name)],
            )
        )
    await queue.clean(state=JobState.WAITING)
    assert await driver.state(node.job.id) == "waiting"


async def until_now(driver: Driver) -> str:
    """The ms that jobs which are there are older than, and those that follow are not."""
    clock = await driver.redis("HGET", driver.keys.meta, "ms")
    await driver.pass_millisecond()
    return str(int(clock))


async def add_to(driver: Driver, queue: Queue, state: JobState, name: str) -> set[str]:
    """Put 300 jobs into a state, in steps; return their ids."""
    added = {f"{name}{n}" for n in range(300)}
    for start in range(0, 300, 150):
        part = [f"{name}{n}" for n in range(start, start + 150)]
        if state is JobState.DELAYED:
            await driver.add(*part, delay_ms=60_000)
        elif state in (JobState.COMPLETED, JobState.FAILED):
            await driver.add(*part)
            for _ in range(3):
                jobs = (await driver.take(50)).jobs
                await driver.finish(*(settle(job, state.value) for job in jobs))
        else:
            await driver.add(*part, place="5" if state is JobState.PRIORITIZED else "0")
    return added


@pytest.mark.parametrize("state", ["waiting", "prioritized", "delayed", "completed", "failed"])
async def test_clean_finds_all_that_are_old_among_more_than_it_looks_at_in_a_step(
    driver: Driver, queue: Queue, state: str
) -> None:
    old = await add_to(driver, queue, JobState(state), "old")
    before = await until_now(driver)
    young = await add_to(driver, queue, JobState(state), "young")
    assert set(await queue._clean(JobState(state), before, None)) == old
    assert await left(driver) == young


async def test_clean_finds_old_jobs_that_entered_the_line_late(
    driver: Driver, queue: Queue
) -> None:
    old = await add_to(driver, queue, JobState.DELAYED, "old")
    before = await until_now(driver)
    await queue.promote_jobs()
    assert set(await queue._clean(JobState.WAITING, before, None)) == old


async def test_old_jobs_of_groups_are_found_behind_a_line_of_young_ones(
    driver: Driver, queue: Queue
) -> None:
    await queue.add("task", job_id="old", group="g")
    before = await until_now(driver)
    await add_to(driver, queue, JobState.WAITING, "young")
    assert await queue._find(JobState.WAITING, before) == ["old"]
    assert await queue._clean(JobState.WAITING, before, None) == ["old"]


async def test_a_search_is_not_led_on_by_jobs_that_are_added_meanwhile(
    driver: Driver, queue: Queue
) -> None:

    async def is_later() -> bool:
        return await driver.now_ms() > int(before)

    await driver.add("first", "second")
    await queue.add("task", job_id="third", group="g")
    found, cursor, before = [], "", ""
    for _ in range(5):
        page = await driver.scripts.find_cleanable(
            state="waiting", before=before, limit=1, cursor=cursor
        )
        found += page.ids
        cursor, before = page.cursor, page.before
        if not cursor:
            break
        await until(is_later, what="a millisecond after the first look")
        await driver.add(*(f"{len(found)}-{n}" for n in range(9)))
    assert (found, cursor) == (["first", "second", "third"], "")


@pytest.mark.parametrize("state", [JobState.ACTIVE, JobState.WAITING_CHILDREN])
async def test_clean_refuses_what_somebody_waits_for(queue: Queue, state: JobState) -> None:
    with pytest.raises(InvalidOption, match=f"{state} jobs are not cleaned"):
        await queue.clean(state=state)


# -- obliterate ------------------------------------------------------------------------


async def everything(driver: Driver, queue: Queue, redis_url: str) -> None:
    """Fill a queue with all that it can hold, but for active jobs."""
    await fill(driver)
    for job_id in ("active1", "active2"):
        snapshot = await driver.snapshot(job_id)
        assert snapshot is not None
        token = snapshot.record.split(b"\n")[0]
        await driver.scripts.log(consumer="w1", keep=9, lines=[(job_id, token, 1, "line")])
        await driver.scripts.progress(consumer="w1", jobs=[(job_id, token, b"1")])
    await driver.add("unique", options=b'{"deduplication":{"id":"d"}}', place="0*")
    await driver.add("gone")
    await queue.promote_jobs()
    await queue.claim_turn("duty", seconds=60)
    await queue.upsert_job_scheduler("s", Repeat(every=3600), NewJob(name="task"))
    await queue.set_global_concurrency(3)


async def test_obliterate_leaves_no_key_but_its_events(
    driver: Driver, queue: Queue, redis_url: str
) -> None:
    await everything(driver, queue, redis_url)
    await driver.scripts.release(
        consumer="w1",
        jobs=[
            (job.id, job._token or b"") for job in (await queue.get_jobs_in(JobState.ACTIVE)).jobs
        ],
    )
    await queue.obliterate()
    assert await keys_left(driver.client, driver.keys) == {"ev"}


async def test_a_deduplication_id_does_not_outlive_its_queue_by_its_time(
    driver: Driver, queue: Queue
) -> None:
    throttle = Deduplication(id="d", ttl=3600)
    await queue.add("task", job_id="old", deduplication=throttle)
    await driver.finish(settle(await driver.take_one(), rule=KEEP_NONE))
    assert await queue.remove_orphaned_jobs() == 0
    assert (await queue.add("task", deduplication=throttle)).id == "old"
    await queue.obliterate()
    assert (await queue.add("task", job_id="new", deduplication=throttle)).id == "new"


async def test_obliterate_refuses_a_queue_with_active_jobs_unless_forced(
    driver: Driver, queue: Queue, redis_url: str
) -> None:
    await everything(driver, queue, redis_url)
    before = await left(driver)
    with pytest.raises(QueueBusy, match="2 jobs are active"):
        await queue.obliterate()
    assert await left(driver) == before
    await queue.obliterate(force=True)
    assert await keys_left(driver.client, driver.keys) == {"ev"}


async def test_a_worker_loses_its_jobs_to_a_forced_obliteration_and_goes_on(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    handler = HeldHandler()
    await queue.add("task")
    async with Worker(queue_name, handler, redis_url, lock_duration=1):
        await handler.running(1)
        await queue.obliterate(force=True)
        await until(lambda: bool(handler.cancelled), what="the handler to be cancelled")
        handler.let_go.set()
        await queue.add("task")
        await handler.running(2)


async def test_jobs_that_are_added_while_keys_are_looked_for_stay(
    driver: Driver, queue: Queue
) -> None:
    await fill(driver)
    await driver.scripts.obliterate(force=True)
    await driver.add("new1", "new2")
    await driver.add("new3", delay_ms=60_000)
    await queue.obliterate()
    assert await keys_left(driver.client, driver.keys) == {"ev"}
    await driver.scripts.obliterate(force=True)
    await driver.add("new4")
    await queue.upsert_job_scheduler("s", Repeat(every=3600), NewJob(name="task"))
    before = await left(driver)
    assert await queue.remove_orphaned_jobs() == 0
    assert await left(driver) == before


async def test_jobs_of_groups_do_not_outlive_their_queue(driver: Driver, queue: Queue) -> None:
    for n in range(3):
        await queue.add("task", job_id=f"old{n}", group="g")
    await driver.scripts.obliterate(force=False)
    await queue.add("task", job_id="new", group="g")
    assert await queue.remove_orphaned_jobs() == 3
    assert await left(driver) == {"new"}
    assert ids(await driver.take(5)) == ["new"]
    await queue.add("task", job_id="last", group="h")
    await driver.scripts.release(
        consumer="w1",
        jobs=[
            (job.id, job._token or b"") for job in (await queue.get_jobs_in(JobState.ACTIVE)).jobs
        ],
    )
    await queue.obliterate()
    assert await keys_left(driver.client, driver.keys) == {"ev"}


async def test_obliterate_tells_parents_in_other_queues(
    redis_url: str, queue_name: str, driver: Driver, queue: Queue
) -> None:
    async with (
        FlowProducer(redis_url) as flows,
        Queue(f"{queue_name}-other", redis_url) as other,
    ):
        node = await flows.add(
            FlowJob(
                name="parent",
                queue_name=queue_name,
                children=[FlowJob(name="child", queue_name=other.name)],
            )
        )
        await other.obliterate()
        assert await driver.state(node.job.id) == "waiting"
        assert await keys_left(driver.client, other.keys) == {"ev"}


# -- orphans ---------------------------------------------------------------------------


async def test_what_came_in_a_page_before_its_orphaned_record_goes_with_it(
    driver: Driver,
) -> None:
    await driver.add("job")
    taken = await driver.take_one()
    await driver.scripts.progress(consumer="w1", jobs=[("job", taken.token, b"1")])
    await driver.redis("UNLINK", driver.keys.ready)
    for page in (["j:job:x"], ["j:job"]):
        await driver.scripts.sweep_orphans(names=page)
    assert await driver.redis("KEYS", driver.keys.prefix + "j:*") == []
    await driver.wipe()


async def test_only_records_that_are_in_no_place_are_orphans(driver: Driver, queue: Queue) -> None:
    await fill(driver)
    await driver.add("unique", options=b'{"deduplication":{"id":"d"}}', place="0*")
    before = await left(driver)
    assert await queue.remove_orphaned_jobs() == 0
    assert await left(driver) == before
    await driver.redis("ZREM", driver.keys.completed, "completed1")
    await driver.redis("ZREM", driver.keys.prioritized, "prioritized1")
    await driver.redis("HSET", driver.keys.live("nobody"), "g", "1")
    await driver.redis("RPUSH", driver.keys.log("completed1"), "line")
    await driver.redis("SET", driver.keys.dedup_owner("e"), "nobody")
    await driver.redis("HSET", driver.keys.dedup_next("f"), "id", "nobody")
    await queue.upsert_job_scheduler("s", Repeat(every=3600), NewJob(name="task"))
    await driver.redis("HSET", driver.keys.prefix + "sched:unlisted", "name", "x")
    before |= await left(driver)
    assert await queue.remove_orphaned_jobs() == 2
    assert await left(driver) == before - {"completed1", "prioritized1"}
    assert await queue.get_job_scheduler("s") is not None
    assert "sched:unlisted" not in (await driver.dump()).types
    # their events tell of states that nobody sees any more
    await driver.redis("DEL", driver.keys.ev)


async def test_what_was_kept_beside_an_orphan_goes_with_it_whatever_is_seen_first(
    driver: Driver, queue: Queue
) -> None:
    options = b'{"deduplication":{"id":"d","keep_last":true}}'
    await driver.add("job", options=options, place="0*")
    job = await driver.take_one()
    await driver.scripts.log(consumer="w1", keep=9, lines=[("job", job.token, 1, "line")])
    await driver.add("next", options=options, place="0*")
    done = await driver.scripts.obliterate(force=True)
    for names in (["j:job:log", "j:job:x", "dd:d", "dn:d"], ["j:job"]):
        await driver.scripts.sweep_orphans(names=names)
    await driver.scripts.obliterate_end(began=done.began)
    assert await keys_left(driver.client, driver.keys) == {"ev"}


# -- events ----------------------------------------------------------------------------


async def test_events_are_trimmed_by_hand(driver: Driver, queue: Queue) -> None:
    for n in range(300):
        await driver.add(f"j{n}")  # two events each
    await queue.trim_events(100)
    assert 100 <= len(await driver.events()) <= 102
    await queue.trim_events(1000)
    assert 100 <= len(await driver.events()) <= 102


# -- retention -------------------------------------------------------------------------


async def test_old_jobs_go_without_any_job_having_to_end(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    async def handler(job: Job) -> None:
        if job.data == "fail":
            raise RuntimeError

    kept = Retention(age=0.2)
    async with Worker(queue_name, handler, redis_url, remove_on_complete=kept, remove_on_fail=kept):
        jobs = [await queue.add("task", data) for data in ("fail", "succeed")]

        async def are_gone() -> bool:
            return await queue.get_jobs([job.id for job in jobs]) == [None, None]

        await until(are_gone, what="both to go by the clock")


async def test_retention_by_the_clock_leaves_young_jobs(driver: Driver) -> None:
    await fill(driver)
    before = await left(driver)
    assert await driver.scripts.retain(completed="-1 60000", failed="-1 -1") == 0
    assert await left(driver) == before
    assert await driver.scripts.retain(completed="-1 0", failed="1 -1") == 3
    assert before - await left(driver) == {"completed1", "completed2", "failed1"}
