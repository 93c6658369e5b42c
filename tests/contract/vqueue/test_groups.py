"""Groups: lines that take turns, and what holds for each of them."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.support.driver import KEEP_NONE, Driver, expire, ids, settle
from tests.support.workers import HeldHandler, jobs_in
from vqueue import (
    Deduplication,
    FlowJob,
    Group,
    GroupFull,
    InvalidOption,
    Job,
    JobOptions,
    JobState,
    NewJob,
    Queue,
    RateLimit,
    Worker,
)


async def add(queue: Queue, *job_ids: str, **options: Any) -> None:
    """Add jobs in one call, each to the group that its id begins with."""
    await queue.add_bulk(
        NewJob(name="task", options=JobOptions(job_id=i, group=i.split("-")[0], **options))
        for i in job_ids
    )


async def test_groups_take_turns_whatever_the_length_of_their_lines(
    driver: Driver, queue: Queue
) -> None:
    await add(queue, "a-1", "a-2", "a-3", "a-4", "b-1", "c-1", "c-2")
    assert ids(await driver.take(2)) == ["a-1", "b-1"]
    assert ids(await driver.take(9)) == ["c-1", "a-2", "c-2", "a-3", "a-4"]


async def test_jobs_without_a_group_go_before_all_groups(driver: Driver, queue: Queue) -> None:
    await add(queue, "a-1")
    await driver.add("plain")
    await driver.add("prioritized", place="5")
    assert ids(await driver.take(3)) == ["plain", "prioritized", "a-1"]


async def test_within_a_group_priorities_ascend_and_lifo_comes_first(
    driver: Driver, queue: Queue
) -> None:
    await add(queue, "a-low", priority=7)
    await add(queue, "a-first", "a-second")
    await add(queue, "a-urgent", priority=2)
    await add(queue, "a-newest", lifo=True)
    jobs = await queue.get_group_jobs("a")
    expected = ["a-newest", "a-first", "a-second", "a-urgent", "a-low"]
    assert [job.id for job in jobs] == expected
    assert {job.state.value for job in jobs} == {"waiting"}
    assert ids(await driver.take(5)) == expected


async def test_a_group_runs_no_more_jobs_than_its_concurrency_and_goes_on_as_they_end(
    driver: Driver, queue: Queue
) -> None:
    await queue.set_group_concurrency(1)
    await queue.set_group_concurrency(2, "b")
    await add(queue, "a-1", "a-2", "b-1", "b-2", "b-3")
    taken = await driver.take(9)
    assert ids(taken) == ["a-1", "b-1", "b-2"]
    assert [(g.id, g.waiting, g.active) for g in await queue.get_groups()] == [
        ("a", 1, 1),
        ("b", 1, 2),
    ]
    finished = await driver.finish(settle(taken.jobs[0]), settle(taken.jobs[1]), want=9)
    assert ids(finished.taken) == ["a-2", "b-3"]


@pytest.mark.parametrize("outcome", ["completed", "failed", "delayed", "waiting", "removed"])
async def test_every_end_of_an_attempt_gives_the_place_in_its_group_back(
    driver: Driver, queue: Queue, outcome: str
) -> None:
    await queue.set_group_concurrency(1)
    await add(queue, "a-1", "a-2")
    job = await driver.take_one()
    rules = {"delayed": "60000", "removed": KEEP_NONE}
    kind = "completed" if outcome == "removed" else outcome
    await driver.finish(settle(job, kind, rule=rules.get(outcome, "-1 -1")))
    assert ids(await driver.take(9)) == ["a-2"]


async def test_a_job_that_is_handed_back_or_stalls_goes_to_the_front_of_its_group(
    driver: Driver, queue: Queue
) -> None:
    await queue.set_group_concurrency(1)
    await add(queue, "a-1", "a-2", "b-1")
    first, second = (await driver.take(9)).jobs
    await driver.scripts.release(consumer="w1", jobs=[("a-1", first.token)])
    await driver.sweep()
    await expire(driver, second.token)
    await driver.sweep()
    assert ids(await driver.take(9)) == ["a-1", "b-1"]


async def test_a_delayed_and_a_retried_job_go_to_the_line_of_their_group(
    driver: Driver, queue: Queue
) -> None:
    await add(queue, "a-later", delay=0.001)
    await queue.pause_group("a")
    await driver.redis("PING")
    assert ids(await driver.take(1)) == []
    await queue.resume_group("a")
    job = await driver.take_when_due()
    await driver.finish(settle(job, "failed"))
    await queue.retry("a-later")
    assert await queue.get_group_jobs_count("a") == 1
    assert ids(await driver.take(1)) == ["a-later"]


async def test_a_paused_group_is_passed_over(driver: Driver, queue: Queue) -> None:
    await add(queue, "a-1", "b-1")
    await queue.pause_group("a")
    assert (await queue.get_group("a")).is_paused
    assert ids(await driver.take(9)) == ["b-1"]
    await queue.resume_group("a")
    assert ids(await driver.take(9)) == ["a-1"]


async def test_a_group_starts_no_more_jobs_than_its_rate_limit(
    driver: Driver, queue: Queue
) -> None:
    await queue.set_group_rate_limit(RateLimit(max=2, duration=60))
    await queue.set_group_rate_limit(RateLimit(max=1, duration=0.2), "b")
    await add(queue, "a-1", "a-2", "a-3", "b-1", "b-2")
    taken = await driver.take(9)
    assert ids(taken) == ["a-1", "b-1", "a-2"]
    assert 0 < taken.due_ms <= 200
    assert 59 < (await queue.get_group("a")).limited_for <= 60
    # the window of b is over some time
    assert (await driver.take_when_due()).id == b"b-2"
    assert ids(await driver.take(9)) == []
    await queue.rate_limit_group("a", 0)
    assert ids(await driver.take(9)) == ["a-3"]


async def test_a_group_can_be_held_back_by_hand(driver: Driver, queue: Queue) -> None:
    await add(queue, "a-1", "b-1")
    await queue.rate_limit_group("a", 60)
    assert ids(await driver.take(9)) == ["b-1"]
    await queue.rate_limit_group("a", 0)
    assert ids(await driver.take(9)) == ["a-1"]


async def test_a_group_that_is_full_takes_no_more(driver: Driver, queue: Queue) -> None:
    group = Group(id="a", max_size=2)
    await queue.add("task", job_id="one", group=group)
    with pytest.raises(GroupFull) as refused:
        await queue.add_bulk(
            NewJob(name="task", options=JobOptions(job_id=job_id, group=group))
            for job_id in ("two", "three", "four")
        )
    assert refused.value.job_ids == ("three", "four")
    with pytest.raises(GroupFull, match="five"):
        await queue.add("task", job_id="five", group=group)
    await driver.take_one()
    await queue.add("task", job_id="five", group=group)
    assert [job.id for job in await queue.get_group_jobs("a")] == ["two", "five"]


async def test_jobs_of_groups_are_added_a_hundred_in_a_call(driver: Driver, queue: Queue) -> None:
    plain = [NewJob(name="task") for _ in range(250)]
    grouped = [NewJob(name="task", options=JobOptions(group=f"g{k}")) for k in range(250)]
    await queue.add_bulk(plain)
    await queue.add_bulk(grouped)
    entries = (await driver.dump()).stream("ev").entries
    calls = [entry for entry in entries if entry.fields[1] == "added,waiting"]
    added = [len(entry.fields) // 2 - 2 for entry in calls]
    assert added == [250, 100, 100, 50]


async def test_an_accepted_job_enters_the_line_of_its_group_though_it_is_full(
    driver: Driver, queue: Queue
) -> None:
    group = Group(id="a", max_size=1)
    await queue.add("task", job_id="retried", group=group)
    retried = await driver.take_one()
    await queue.add("task", job_id="one", group=group)
    await queue.add("task", job_id="delayed", group=group, delay=3600)

    await queue.promote("delayed")
    await driver.finish(settle(retried, "waiting"))
    assert [job.id for job in await queue.get_group_jobs("a")] == ["one", "delayed", "retried"]
    with pytest.raises(GroupFull):
        await queue.add("task", job_id="refused", group=group)
    await driver.take(2)
    with pytest.raises(GroupFull):
        await queue.add("task", job_id="refused", group=group)
    await driver.check()


async def test_jobs_in_groups_are_counted_changed_and_removed(driver: Driver, queue: Queue) -> None:
    await add(queue, "a-1", "a-2", "a-3", "b-1")
    assert (await queue.get_job_counts())[JobState.WAITING] == 4
    await queue.change_priority("a-1", 3)
    await queue.change_priority("a-3", 0, lifo=True)
    await queue.remove("b-1")
    assert await queue.get_groups_count() == 1
    assert await queue.cancel("a-2")
    assert ids(await driver.take(9)) == ["a-3", "a-1"]
    assert (await queue.get_groups()) == []


async def test_jobs_in_groups_are_listed_page_by_page_and_drained(
    driver: Driver, queue: Queue
) -> None:
    names = [f"{group}-{k}" for k in range(4) for group in "abc"]
    await add(queue, *names)
    await driver.add("plain")
    for asc in (True, False):
        seen: list[str] = []
        cursor: str | None = None
        while True:
            page = await queue.get_jobs_in(JobState.WAITING, limit=3, cursor=cursor, asc=asc)
            seen += [job.id for job in page.jobs]
            cursor = page.cursor
            if not cursor:
                break
        assert sorted(seen) == sorted([*names, "plain"])
    assert await queue.drain() == 13
    assert await queue.get_groups_count() == 0


async def test_a_parent_in_a_group_waits_in_its_line_when_its_children_have_ended(
    driver: Driver, queue: Queue
) -> None:
    await queue.set_group_concurrency(1)
    parent = JobOptions(job_id="parent", group="a", lifo=True)
    child = FlowJob(name="task", options=JobOptions(job_id="child", group="a"))
    await queue.add_flow(FlowJob(name="task", options=parent, children=[child]))
    await driver.finish(settle(await driver.take_one()))
    await add(queue, "a-1")
    assert [job.id for job in await queue.get_group_jobs("a")] == ["parent", "a-1"]


async def test_a_deduplicated_job_may_have_a_group(driver: Driver, queue: Queue) -> None:
    for _ in range(3):
        await queue.add("task", group="a", deduplication=Deduplication(id="d"))
    assert await queue.get_group_jobs_count("a") == 1
    assert len((await driver.take(9)).jobs) == 1


async def test_no_group_exceeds_its_concurrency_over_many_workers(
    driver: Driver, queue: Queue, redis_url: str
) -> None:
    running: Counter[str] = Counter()
    most: Counter[str] = Counter()

    async def handle(job: Job) -> None:
        group = job.id.split("-")[0]
        running[group] += 1
        most[group] = max(most[group], running[group])
        await asyncio.sleep(0)
        running[group] -= 1

    await queue.set_group_concurrency(2)
    names = [f"{group}-{k}" for k in range(50) for group in "abcd"]
    async with AsyncExitStack() as stack:
        for _ in range(3):
            await stack.enter_async_context(Worker(queue.name, handle, redis_url, concurrency=5))
        await add(queue, *names)
        await jobs_in(queue, *names, states={JobState.COMPLETED})
    assert max(most.values()) <= 2
    assert (await driver.dump()).hashes.get("turns") is None


async def test_a_slot_that_frees_in_a_group_wakes_an_idle_worker(
    queue: Queue, redis_url: str
) -> None:
    handler = HeldHandler()
    await queue.set_group_concurrency(1)
    async with (
        Worker(queue.name, handler, redis_url),
        Worker(queue.name, handler, redis_url),
    ):
        await add(queue, "a-1", "a-2")
        await handler.running(1)
        handler.let_go.set()
        await jobs_in(queue, "a-1", "a-2", states={JobState.COMPLETED})


def test_what_is_no_group_is_refused() -> None:
    with pytest.raises(InvalidOption, match="group id"):
        JobOptions(group="a b")
    with pytest.raises(InvalidOption, match="max_size of a group"):
        Group(id="a", max_size=0)
