"""Job schedulers: every slot makes its job once, whoever takes it, and what becomes of the rest."""

import asyncio
import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.driver import Driver, ids, settle
from tests.support.waiting import until
from vqueue import InvalidOption, Job, JobOptions, JobScheduler, NewJob, Queue, Repeat, Worker
from vqueue.schedules import Refill

HOUR_MS = 3_600_000
TEMPLATE = NewJob(name="report", data={"of": "yesterday"})


async def scheduled(queue: Queue, repeat: Repeat, template: NewJob = TEMPLATE) -> JobScheduler:
    return await queue.upsert_job_scheduler("s", repeat, template)


async def slot_is(driver: Driver, slot_ms: int, *, slots: Sequence[int] = ()) -> None:
    """Let the next slot of scheduler s be at another time, as if the clock had been turned."""
    key = driver.keys.scheduler("s")
    await driver.redis("HSET", key, "slot", slot_ms)
    if slots:
        await driver.redis("HSET", key, "slots", " ".join(map(str, slots)))
    else:
        await driver.redis("HSET", key, "anchor", slot_ms)
    await driver.redis("ZADD", driver.keys.sched, slot_ms, "s")
    await driver.redis("HSET", driver.keys.meta, "sched", slot_ms)


async def slots_made(driver: Driver, want: int = 100) -> list[int]:
    """Take what is there; return the slots (ms) that the jobs were made for, and end them."""
    taken = (await driver.take(want)).jobs
    await driver.finish(*(settle(job) for job in taken))
    return [int(job.id.rpartition(b".")[2]) for job in taken]


async def next_run_ms(queue: Queue) -> int | None:
    scheduler = await queue.get_job_scheduler("s")
    assert scheduler is not None
    return None if scheduler.next_run is None else round(scheduler.next_run * 1000)


async def test_the_jobs_are_like_the_template_and_know_their_scheduler(
    driver: Driver, queue: Queue
) -> None:
    template = NewJob(name="report", data=[1], options=JobOptions(priority=7, attempts=3))
    scheduler = await scheduled(queue, Repeat(every=3600), template)
    assert (scheduler.name, scheduler.data, scheduler.options) == ("report", [1], {"attempts": 3})
    assert scheduler.job_id is not None
    job = await queue.get_job(scheduler.job_id)
    assert job is not None
    assert (job.name, job.data, job.attempts, job.priority) == ("report", [1], 3, 7)
    assert job.state == "prioritized"
    assert job.scheduler_id == "s"
    assert job.scheduled_for == int(job.id.rpartition(".")[2]) / 1000
    plain = await queue.add("plain")
    assert (plain.scheduler_id, plain.scheduled_for) == (None, None)
    lifo = NewJob(name="report", options=JobOptions(lifo=True))
    await queue.upsert_job_scheduler("front", Repeat(every=3600), lifo)
    assert ids(await driver.take(1))[0].startswith("repeat.front.")


async def test_an_offset_puts_the_slots_on_the_clock(driver: Driver, queue: Queue) -> None:
    scheduler = await scheduled(queue, Repeat(every=3600, offset=60))
    assert scheduler.next_run is not None
    assert scheduler.next_run % 3600 == 60
    assert scheduler.job_id is None
    at_once = await scheduled(queue, Repeat(every=3600, offset=120, immediately=True))
    assert at_once.job_id is not None
    assert at_once.next_run is not None
    assert at_once.next_run % 3600 == 120


async def test_a_start_date_is_the_first_slot_or_the_base_of_the_grid(
    driver: Driver, queue: Queue
) -> None:
    now = datetime.fromtimestamp(await driver.now_ms() / 1000, UTC)
    later = now + timedelta(minutes=10)
    scheduler = await scheduled(queue, Repeat(every=3600, start_date=later))
    assert scheduler.next_run == pytest.approx(later.timestamp(), abs=0.001)
    earlier = now - timedelta(minutes=90)
    scheduler = await scheduled(queue, Repeat(every=3600, start_date=earlier))
    assert scheduler.next_run == pytest.approx(earlier.timestamp() + 7200, abs=0.001)
    assert await slots_made(driver) == []


async def test_a_slot_is_told_to_workers_as_the_next_due_time(driver: Driver, queue: Queue) -> None:
    await scheduled(queue, Repeat(every=3600))
    assert await slots_made(driver)
    assert 0 < (await driver.take(1)).due_ms <= HOUR_MS
    await driver.add("sooner", delay_ms=60_000)
    assert 0 < (await driver.take(1)).due_ms <= 60_000
    assert await queue.remove_job_scheduler("s")
    assert not await queue.remove_job_scheduler("s")
    assert await queue.get_job_schedulers() == []
    assert await driver.redis("HGET", driver.keys.meta, "sched") is None


async def test_all_slots_that_went_by_can_be_made_up_for(driver: Driver, queue: Queue) -> None:
    await scheduled(queue, Repeat(every=60, offset=0, missed="all"))
    first = await driver.now_ms() - 70 * 60_000 - 1000
    await slot_is(driver, first)
    batches = [await slots_made(driver), await slots_made(driver)]
    assert len(batches[0]) == 50  # a call makes so many
    assert batches[0] + batches[1] == [first + 60_000 * n for n in range(71)]


async def test_a_call_looks_at_some_of_the_slots_that_have_their_jobs_already(
    driver: Driver, queue: Queue
) -> None:
    await scheduled(queue, Repeat(every=60, offset=0, missed="all"))
    first = await driver.now_ms() - 700 * 60_000 - 1000
    for number in range(700):
        gone = f"{driver.keys.prefix}gone:repeat.s.{first + 60_000 * number}"
        await driver.redis("SET", gone, "", "PX", HOUR_MS)
    await slot_is(driver, first)
    assert ids(await driver.take(100)) == []
    assert await next_run_ms(queue) == first + 60_000 * 500
    assert await slots_made(driver) == [first + 60_000 * 700]


async def test_a_call_leaves_behind_some_of_the_listed_slots_that_went_by(
    driver: Driver, queue: Queue
) -> None:
    await scheduled(queue, Repeat(pattern="* * * * *"))
    first = await driver.now_ms() - 700 * 60_000 - 1000
    slots = [first + 60_000 * number for number in range(702)]
    await slot_is(driver, first, slots=slots[1:])
    assert ids(await driver.take(1)) == []
    assert await next_run_ms(queue) == slots[500]
    assert await slots_made(driver) == [slots[700]]
    assert await next_run_ms(queue) == slots[701]


async def test_slots_that_went_by_can_be_skipped(driver: Driver, queue: Queue) -> None:
    await scheduled(queue, Repeat(every=60, offset=0, missed="skip"))
    now = await driver.now_ms()
    await slot_is(driver, now - 150_000)
    assert await slots_made(driver) == []
    assert await next_run_ms(queue) == now - 150_000 + 180_000
    await slot_is(driver, now - 121_000)  # the latest is a second late: not missed
    assert await slots_made(driver) == [now - 1000]


async def test_a_job_that_still_waits_takes_the_place_of_the_next(
    driver: Driver, queue: Queue
) -> None:
    await scheduled(queue, Repeat(every=3600))
    now = await driver.now_ms()
    await slot_is(driver, now - 1000)
    assert (await driver.take(0)).jobs == []
    assert (await queue.get_job_counts())["waiting"] == 1
    assert await next_run_ms(queue) == now - 1000 + HOUR_MS


async def test_the_next_job_is_made_while_the_one_before_runs(driver: Driver, queue: Queue) -> None:
    await scheduled(queue, Repeat(every=3600))
    running = await driver.take_one()
    await slot_is(driver, await driver.now_ms() - 1000)
    second = await driver.take_one()
    assert running.id != second.id
    await driver.finish(settle(running), settle(second))


async def test_without_overlap_a_slot_waits_for_the_end_of_the_one_before(
    driver: Driver, queue: Queue
) -> None:
    await scheduled(queue, Repeat(every=3600, overlap=False))
    running = await driver.take_one()
    slot = await driver.now_ms() - 1000
    await slot_is(driver, slot)
    held = await driver.take(1)
    assert held.jobs == []
    assert 0 < held.due_ms <= 1000  # it is looked at again
    await driver.finish(settle(running, "delayed", rule="60000"))
    await slot_is(driver, slot)
    assert (await driver.take(1)).jobs == []  # its second attempt has not been made
    await driver.redis("ZADD", driver.keys.delayed, 0, running.id)
    running = await driver.take_one()
    await driver.finish(settle(running))
    await slot_is(driver, slot)
    assert await slots_made(driver) == [slot]


async def test_without_overlap_skipped_slots_are_gone(driver: Driver, queue: Queue) -> None:
    await scheduled(queue, Repeat(every=3600, overlap=False, missed="skip"))
    running = await driver.take_one()
    slot = await driver.now_ms() - 1000
    await slot_is(driver, slot)
    assert (await driver.take(1)).jobs == []
    await driver.finish(settle(running))
    assert await next_run_ms(queue) == slot + HOUR_MS


async def test_a_limit_ends_a_scheduler_and_raising_it_goes_on(
    driver: Driver, queue: Queue
) -> None:
    scheduler = await scheduled(queue, Repeat(every=60, offset=0, limit=2, missed="all"))
    assert scheduler.limit == 2
    await slot_is(driver, await driver.now_ms() - 10 * 60_000)
    assert len(await slots_made(driver)) == 2
    assert await next_run_ms(queue) is None
    same = await scheduled(queue, Repeat(every=60, offset=0, limit=2, missed="all"))
    assert (same.next_run, same.iteration_count) == (None, 2)
    assert await slots_made(driver) == []
    assert (await driver.take(1)).due_ms == -1
    raised = await scheduled(queue, Repeat(every=60, offset=0, limit=3, missed="all"))
    assert raised.next_run is not None


async def test_an_end_date_ends_a_scheduler(driver: Driver, queue: Queue) -> None:
    now = datetime.fromtimestamp(await driver.now_ms() / 1000, UTC)
    end = now + timedelta(minutes=2)
    await scheduled(queue, Repeat(every=60, end_date=end))
    first = (await slots_made(driver))[0]
    # two hours later
    for field in ("anchor", "last"):
        value = int(await driver.redis("HGET", driver.keys.scheduler("s"), field))
        await driver.redis("HSET", driver.keys.scheduler("s"), field, value - 2 * HOUR_MS)
    await driver.redis("HSET", driver.keys.scheduler("s"), "slot", first - 2 * HOUR_MS + 60_000)
    await driver.redis("ZADD", driver.keys.sched, 0, "s")
    await driver.redis("HSET", driver.keys.meta, "sched", 0)
    (made,) = await slots_made(driver)
    assert (made - first) % 60_000 == 0
    assert made <= round(end.timestamp() * 1000) - 2 * HOUR_MS
    assert await next_run_ms(queue) is None
    with pytest.raises(InvalidOption, match="is past"):
        await scheduled(queue, Repeat(every=60, end_date=now - timedelta(seconds=1)))


async def test_a_change_replaces_the_job_that_waits(driver: Driver, queue: Queue) -> None:
    first = await scheduled(queue, Repeat(every=3600))
    again = await scheduled(queue, Repeat(every=3600), NewJob(name="other"))
    assert again.job_id == first.job_id
    assert again.job_id is not None
    assert again.next_run == first.next_run
    assert again.iteration_count == 1
    job = await queue.get_job(again.job_id)
    assert job is not None
    assert job.name == "other"
    prioritized = NewJob(name="third", options=JobOptions(priority=5))
    await scheduled(queue, Repeat(every=3600), prioritized)
    faster = await scheduled(queue, Repeat(every=60))
    assert faster.iteration_count == 1
    assert (await queue.get_job_counts())["prioritized"] == 0
    assert ids(await driver.take(5)) == [faster.job_id]
    assert (await driver.history(first.job_id or ""))[:3] == ["added", "waiting", "removed"]


async def test_a_running_job_outlives_its_scheduler_and_a_waiting_one_does_not(
    driver: Driver, queue: Queue
) -> None:
    await scheduled(queue, Repeat(every=3600))
    running = await driver.take_one()
    assert await queue.remove_job_scheduler("s")
    assert await driver.state(running.id.decode()) == "active"
    again = await scheduled(queue, Repeat(every=3600))
    assert again.job_id is not None
    assert await queue.remove_job_scheduler("s")
    assert await queue.get_job(again.job_id) is None
    await driver.finish(settle(running))


async def test_a_pattern_makes_a_job_at_each_of_its_times(driver: Driver, queue: Queue) -> None:
    scheduler = await scheduled(queue, Repeat(pattern="*/5 * * * *", tz="Europe/Berlin"))
    assert scheduler.next_run is not None
    assert scheduler.next_run % 300 == 0
    assert (scheduler.pattern, scheduler.tz) == ("*/5 * * * *", "Europe/Berlin")
    assert await slots_made(driver) == []
    now = await driver.now_ms()
    await slot_is(driver, now - 2000, slots=[now - 1000, now + 60_000])
    assert await slots_made(driver) == [now - 1000]
    assert await next_run_ms(queue) == now + 60_000


async def test_a_pattern_with_seconds_runs_through_a_worker(queue: Queue, redis_url: str) -> None:
    made: list[float] = []
    two = asyncio.Event()

    async def handler(job: Job) -> None:
        assert job.scheduled_for is not None
        made.append(job.scheduled_for)
        if len(made) == 2:
            two.set()

    async with Worker(queue.name, handler, redis_url):
        await scheduled(queue, Repeat(pattern="* * * * * *", immediately=True))
        await asyncio.wait_for(two.wait(), 10)
        await queue.remove_job_scheduler("s")
    assert made[0] < made[1]
    assert made[1] % 1 == 0


async def test_lists_are_refilled_by_one_of_the_workers_before_their_end(
    driver: Driver, queue: Queue
) -> None:
    await scheduled(queue, Repeat(pattern="* * * * * *"))
    listed = await driver.redis("HGET", driver.keys.scheduler("s"), "slots")
    assert len(listed.split()) == 299
    refill = Refill(driver.client, driver.scripts, driver.keys)
    await asyncio.gather(refill.run_once(), refill.run_once())
    slots = [int(ms) for ms in await _slots(driver)]
    assert len(slots) == 599
    assert {later - slot for slot, later in itertools.pairwise(slots)} == {1000}


async def _slots(driver: Driver) -> list[bytes]:
    slots: bytes = await driver.redis("HGET", driver.keys.scheduler("s"), "slots")
    return slots.split()


@pytest.mark.parametrize(("missed", "expected"), [("one", 1), ("all", 100), ("skip", 0)])
async def test_a_pattern_whose_list_has_ended_goes_on_when_a_worker_comes_back(
    driver: Driver, queue: Queue, missed: str, expected: int
) -> None:
    await scheduled(queue, Repeat(pattern="0 * * * *", missed=missed))
    hour = await driver.now_ms() // HOUR_MS * HOUR_MS
    if missed == "skip":
        # a slot of a few seconds ago would not be missed
        await until(
            lambda: _later(driver, hour + 6000), what="six seconds of the hour", deadline=20
        )
    key = driver.keys.scheduler("s")
    tail = hour - 99 * HOUR_MS
    await driver.redis("HSET", key, "slot", tail, "slots", "", "tail", tail)
    await driver.redis("ZADD", driver.keys.tails, tail, "s")
    await driver.redis("ZADD", driver.keys.sched, tail, "s")
    await driver.redis("HSET", driver.keys.meta, "sched", tail)
    made = await slots_made(driver)
    for _ in range(3):
        await Refill(driver.client, driver.scripts, driver.keys).run_once()
        made += await slots_made(driver)
    assert len(made) == expected
    if expected:
        assert made[-1] == hour
        assert made == sorted(set(made))
    assert await next_run_ms(queue) == hour + HOUR_MS


async def test_one_look_is_enough_after_a_long_time_without_workers(
    driver: Driver, queue: Queue
) -> None:
    await scheduled(queue, Repeat(pattern="0 * * * *"))
    hour = await driver.now_ms() // HOUR_MS * HOUR_MS
    key = driver.keys.scheduler("s")
    tail = hour - 9999 * HOUR_MS
    await driver.redis("HSET", key, "slot", tail, "slots", "", "tail", tail)
    await driver.redis("ZADD", driver.keys.tails, tail, "s")
    await driver.redis("ZADD", driver.keys.sched, tail, "s")
    await Refill(driver.client, driver.scripts, driver.keys).run_once()
    assert await slots_made(driver) == [hour]
    assert await next_run_ms(queue) == hour + HOUR_MS


async def _later(driver: Driver, ms: int) -> bool:
    return await driver.now_ms() > ms


async def test_a_pattern_ends_with_its_end_date(driver: Driver, queue: Queue) -> None:
    now = await driver.now_ms()
    end = datetime.fromtimestamp(now / 1000, UTC) + timedelta(seconds=90)
    scheduler = await scheduled(queue, Repeat(pattern="* * * * *", end_date=end))
    assert scheduler.next_run is not None
    assert await driver.redis("ZCARD", driver.keys.tails) == 0
    await slot_is(driver, now - 1000)
    await driver.redis("HSET", driver.keys.scheduler("s"), "slots", "")
    assert await slots_made(driver) == [now - 1000]
    assert await next_run_ms(queue) is None


async def test_schedulers_are_listed_in_pages_by_their_next_slot(queue: Queue) -> None:
    for minutes in (3, 1, 2):
        start = datetime.now(UTC) + timedelta(minutes=minutes)
        await queue.upsert_job_scheduler(
            f"s{minutes}", Repeat(every=3600, start_date=start), TEMPLATE
        )
    assert [s.id for s in await queue.get_job_schedulers()] == ["s1", "s2", "s3"]
    assert [s.id for s in await queue.get_job_schedulers(asc=False, end=1)] == ["s3", "s2"]
    assert await queue.get_job_schedulers_count() == 3
    assert await queue.get_job_scheduler("s4") is None


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"every": 1, "pattern": "* * * * *"},
        {"every": 0},
        {"pattern": "* * * * *", "offset": 1},
        {"every": 1, "immediately": True, "start_date": datetime(2040, 1, 1, tzinfo=UTC)},
        {"every": 1, "start_date": datetime(2040, 1, 1)},
        {"every": 1, "limit": 0},
        {"every": 1, "missed": "none"},
    ],
)
def test_a_repeat_that_contradicts_itself_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidOption):
        Repeat(**wrong)  # type: ignore[arg-type]


async def test_what_a_scheduler_cannot_do_is_refused_before_anything_is_written(
    queue: Queue,
) -> None:
    for repeat, template in (
        (Repeat(pattern="61 * * * *"), TEMPLATE),
        (Repeat(pattern="* * * * *", tz="Mars/Olympus"), TEMPLATE),
        (Repeat(every=1), NewJob(name="a", options=JobOptions(job_id="x"))),
        (Repeat(every=1), NewJob(name="a", options=JobOptions(delay=1))),
    ):
        with pytest.raises(InvalidOption):
            await scheduled(queue, repeat, template)
    assert await queue.get_job_schedulers_count() == 0
