"""Behaviours 45 to 50: job schedulers.

The twelve workers run for a few seconds; SCHEDULER_SECONDS=30 asks for a long run.
"""

import os
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.conformance.processes import worker_process
from tests.support.driver import Driver, expire, settle
from tests.support.waiting import until
from vqueue import InvalidOption, Job, JobOptions, NewJob, Queue, Repeat, Worker

SECONDS = float(os.environ.get("SCHEDULER_SECONDS", 4))
HOUR_MS = 3_600_000
TEMPLATE = NewJob(name="quick")


async def slots_made(driver: Driver, *, how: str = "added") -> list[int]:
    """The slots (ms) of scheduler s that had such an event, in the order of the events."""
    return [
        int(event.job_id.rpartition(".")[2])
        for event in await driver.events()
        if event.name == how and event.job_id.startswith("repeat.s.")
    ]


async def listed_slots(driver: Driver) -> list[int]:
    """The slots (ms) after the next one that a pattern has brought."""
    listed: bytes = await driver.redis("HGET", driver.keys.scheduler("s"), "slots")
    return [int(ms) for ms in listed.split()]


async def next_run_ms(queue: Queue) -> int | None:
    """When scheduler s makes its next job, None for never."""
    scheduler = await queue.get_job_scheduler("s")
    assert scheduler is not None
    return None if scheduler.next_run is None else round(scheduler.next_run * 1000)


async def turn_back(driver: Driver, slot_ms: int, *, listed: Sequence[int] = ()) -> None:
    """Let the next slot of scheduler s be at this time, as if the clock had been turned."""
    key = driver.keys.scheduler("s")
    await driver.redis("HSET", key, "slot", slot_ms, "slots", " ".join(map(str, listed)))
    await driver.redis("ZADD", driver.keys.sched, slot_ms, "s")
    await driver.redis("HSET", driver.keys.meta, "sched", slot_ms)


async def _quick(_: Job) -> None:
    return None


async def test_an_interval_makes_the_first_job_at_once_and_twenty_on_its_grid_without_drift(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    every_ms = 50
    before_ms = await driver.now_ms()
    repeat = Repeat(every=every_ms / 1000, missed="all", limit=20)
    await queue.upsert_job_scheduler("s", repeat, TEMPLATE)
    (first,) = await slots_made(driver)
    assert before_ms <= first <= await driver.now_ms()
    async with Worker(queue_name, _quick, redis_url):

        async def twenty_ended() -> bool:
            return len(await slots_made(driver, how="completed")) == 20

        await until(twenty_ended, what="twenty runs")
    assert await slots_made(driver) == [first + every_ms * n for n in range(20)]


async def test_twelve_workers_make_each_slot_once_though_some_of_them_are_killed(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    repeat = Repeat(every=0.1, missed="all")
    await queue.upsert_job_scheduler("s", repeat, TEMPLATE)
    start_ms = (await slots_made(driver))[0]
    async with AsyncExitStack() as stack:
        for _ in range(10):
            await stack.enter_async_context(
                Worker(queue_name, _quick, redis_url, lock_duration=0.6, max_stalled=9)
            )
        killed = [stack.enter_context(worker_process(driver, lease=0.6)) for _ in range(2)]
        for turn, process in enumerate(killed, 1):
            goal_ms = start_ms + round(SECONDS * 1000 * turn / 2)

            async def is_reached(goal_ms: int = goal_ms) -> bool:
                return max(await slots_made(driver)) >= goal_ms

            await until(is_reached, what="half of the time", deadline=15 + SECONDS)
            process.kill()
        await queue.remove_job_scheduler("s")

        async def all_ended() -> bool:
            counts = await queue.get_job_counts()
            return sum(counts.values()) == counts["completed"]

        await until(all_ended, what="the end of all jobs")
    made = await slots_made(driver)
    assert made == [start_ms + 100 * n for n in range(len(made))]
    assert len(made) >= SECONDS * 10
    ends = Counter(await slots_made(driver, how="completed"))
    removed = set(await slots_made(driver, how="removed"))
    assert set(ends) | removed == set(made)
    assert set(ends.values()) == {1}


async def test_slots_without_any_worker_make_one_job_on_return_then_the_grid_goes_on(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    every_ms = 200
    await queue.upsert_job_scheduler("s", Repeat(every=every_ms / 1000), TEMPLATE)
    (first,) = await slots_made(driver)

    async def made(count: int) -> bool:
        return len(await slots_made(driver)) >= count

    async with Worker(queue_name, _quick, redis_url):
        await until(lambda: made(2), what="the second job")
    before = await slots_made(driver)
    over_ms = before[-1] + 6 * every_ms

    async def five_went_by() -> bool:
        return await driver.now_ms() >= over_ms

    await until(five_went_by, what="five slots to go by")
    assert await slots_made(driver) == before
    async with Worker(queue_name, _quick, redis_url):
        await until(lambda: made(len(before) + 2), what="two more jobs")
    after = (await slots_made(driver))[len(before) :]
    times_ms = [
        event.timestamp * 1000
        for event in await driver.events()
        if event.name == "added" and event.job_id.startswith("repeat.s.")
    ][len(before) :]
    # the newest slot at the time, for all that went by
    assert times_ms[0] - every_ms < after[0] <= times_ms[0]
    assert after[0] >= over_ms
    assert {(slot - first) % every_ms for slot in after} == {0}
    assert after == sorted(set(after))


async def test_a_pattern_keeps_to_the_wall_of_its_time_zone_over_a_change_of_the_clocks(
    queue: Queue, driver: Driver
) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    # clocks go forward on 31 March 2030
    start = datetime(2030, 3, 29, 12, tzinfo=UTC)
    repeat = Repeat(pattern="30 9 * * *", tz="Europe/Berlin", start_date=start)
    await queue.upsert_job_scheduler("s", repeat, TEMPLATE)
    first = await next_run_ms(queue)
    assert first is not None
    slots = [first, *(await listed_slots(driver))[:2]]
    assert [datetime.fromtimestamp(ms / 1000, berlin).isoformat() for ms in slots] == [
        "2030-03-30T09:30:00+01:00",
        "2030-03-31T09:30:00+02:00",
        "2030-04-01T09:30:00+02:00",
    ]


async def test_a_pattern_ends_with_its_limit(queue: Queue, driver: Driver) -> None:
    await queue.upsert_job_scheduler(
        "s", Repeat(pattern="* * * * *", limit=2, missed="all"), TEMPLATE
    )
    now = await driver.now_ms()
    await turn_back(driver, now - 3000, listed=[now - 2000, now - 1000, now + HOUR_MS])
    jobs = (await driver.take(9)).jobs
    assert await slots_made(driver) == [now - 3000, now - 2000]
    assert await next_run_ms(queue) is None
    await driver.finish(*map(settle, jobs))


async def test_a_pattern_ends_with_its_end_date(queue: Queue, driver: Driver) -> None:
    now = datetime.fromtimestamp(await driver.now_ms() / 1000, UTC)
    end = now + timedelta(minutes=5)
    await queue.upsert_job_scheduler("s", Repeat(pattern="* * * * *", end_date=end), TEMPLATE)
    first = await next_run_ms(queue)
    assert first is not None
    assert [first, *await listed_slots(driver)] == [first + 60_000 * n for n in range(5)]
    past = Repeat(pattern="* * * * *", end_date=now - timedelta(seconds=1))
    with pytest.raises(InvalidOption, match="is past"):
        await queue.upsert_job_scheduler("s", past, TEMPLATE)


@pytest.mark.parametrize("timing", [{"pattern": "0 * * * *"}, {"every": 3600}])
async def test_nothing_is_made_before_a_start_date_and_one_that_is_past_makes_nothing_up(
    queue: Queue, driver: Driver, timing: dict[str, str] | dict[str, int]
) -> None:
    now_ms = await driver.now_ms()
    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    repeat = Repeat(**timing, start_date=now + timedelta(hours=5))  # type: ignore[arg-type]
    await queue.upsert_job_scheduler("s", repeat, TEMPLATE)
    first = await next_run_ms(queue)
    assert first is not None
    assert now_ms + 5 * HOUR_MS - 1 <= first <= now_ms + 6 * HOUR_MS
    repeat = Repeat(**timing, start_date=now - timedelta(hours=5, minutes=30))  # type: ignore[arg-type]
    await queue.upsert_job_scheduler("s", repeat, TEMPLATE)
    first = await next_run_ms(queue)
    assert first is not None
    assert now_ms < first <= now_ms + HOUR_MS
    assert (await driver.take(9)).jobs == []


@pytest.mark.parametrize(
    ("options", "state"),
    [
        (JobOptions(), "waiting"),
        (JobOptions(lifo=True), "waiting"),
        (JobOptions(priority=5), "prioritized"),
    ],
)
async def test_another_spec_replaces_the_pending_job_in_any_line_and_removal_stops_it(
    queue: Queue, driver: Driver, options: JobOptions, state: str
) -> None:
    template = NewJob(name="report", options=options)
    first = await queue.upsert_job_scheduler("s", Repeat(every=3600), template)
    assert first.job_id is not None
    assert await driver.state(first.job_id) == state
    second = await queue.upsert_job_scheduler("s", Repeat(every=60), template)
    assert second.job_id not in (None, first.job_id)
    assert await driver.state(first.job_id) is None
    assert sum((await queue.get_job_counts()).values()) == 1
    assert await queue.remove_job_scheduler("s")
    assert sum((await queue.get_job_counts()).values()) == 0
    assert (await driver.take(9)).due_ms == -1
    assert await queue.get_job_schedulers() == []


async def test_another_spec_replaces_a_slot_whose_job_is_not_made_yet(
    queue: Queue, driver: Driver
) -> None:
    await queue.upsert_job_scheduler("s", Repeat(pattern="0 0 1 1 *"), TEMPLATE)
    start_ms = await driver.now_ms() + HOUR_MS
    start = datetime.fromtimestamp(start_ms / 1000, UTC)
    await queue.upsert_job_scheduler("s", Repeat(every=60, start_date=start), TEMPLATE)
    assert await next_run_ms(queue) == start_ms
    assert 0 < (await driver.take(9)).due_ms <= HOUR_MS
    assert await slots_made(driver) == []
    assert await driver.redis("ZCARD", driver.keys.sched) == 1


async def test_a_retried_or_stalled_iteration_makes_no_further_one(
    queue: Queue, driver: Driver
) -> None:
    template = NewJob(name="report", options=JobOptions(attempts=2))
    scheduler = await queue.upsert_job_scheduler("s", Repeat(every=3600), template)
    await driver.finish(settle(await driver.take_one(), "waiting"))
    job = await driver.take_one()
    await expire(driver, job.token)
    assert (await driver.sweep())[:2] == (1, 0)
    job = await driver.take_one()
    assert job.id.decode() == scheduler.job_id
    await driver.finish(settle(job, "failed"))
    await queue.retry(job.id.decode())
    await driver.finish(settle(await driver.take_one()))
    after = await queue.get_job_scheduler("s")
    assert after is not None
    assert (after.iteration_count, after.next_run) == (1, scheduler.next_run)
    assert sum((await queue.get_job_counts()).values()) == 1
