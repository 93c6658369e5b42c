"""take: waiting or prioritized → active, in the order of the line."""

import pytest

from tests.support.driver import LONG_MS, Driver, ids, settle
from tests.support.waiting import until
from tests.support.workers import HeldHandler, ended
from vqueue import Queue, Worker
from vqueue.record import Record, TakenJob


async def test_a_thousand_jobs_come_in_the_order_of_their_adds(driver: Driver) -> None:
    names = [f"job-{number}" for number in range(1000)]
    for start in range(0, 1000, 100):
        await driver.add(*names[start : start + 100])
    taken: list[str] = []
    while batch := ids(await driver.take(7)):
        taken += batch
    assert taken == names


async def test_front_goes_before_lifo_before_plain_before_priorities(driver: Driver) -> None:
    await driver.add("handed-back-plain", "handed-back-also")
    first, second = (await driver.take(2)).jobs
    await driver.add("priority-9", place="9")
    await driver.add("priority-1a", "priority-1b", place="1")
    await driver.add("plain-1", "plain-2")
    await driver.add("lifo-1", place="lifo")
    await driver.add("lifo-2", place="lifo")
    await driver.scripts.release(
        consumer="w1", jobs=[(job.id.decode(), job.token) for job in (first, second)]
    )
    assert ids(await driver.take(250)) == [
        "handed-back-plain",
        "handed-back-also",
        "lifo-2",
        "lifo-1",
        "plain-1",
        "plain-2",
        "priority-1a",
        "priority-1b",
        "priority-9",
    ]


async def test_the_order_is_the_same_one_job_at_a_time(driver: Driver) -> None:
    await driver.add("p2", place="2")
    await driver.add("p1", place="1")
    await driver.add("plain")
    await driver.add("lifo", place="lifo")
    assert [(await driver.take_one()).id for _ in range(4)] == [b"lifo", b"plain", b"p1", b"p2"]


async def test_a_released_priority_job_is_first_of_its_priority(driver: Driver) -> None:
    await driver.add("a", "b", place="3")
    await driver.add("urgent", place="2")
    urgent, first = (await driver.take(2)).jobs
    assert (urgent.id, first.id) == (b"urgent", b"a")
    await driver.scripts.release(consumer="w1", jobs=[("a", first.token)])
    await driver.add("urgent-2", place="2")
    assert ids(await driver.take(3)) == ["urgent-2", "a", "b"]


async def test_never_more_than_wanted(driver: Driver) -> None:
    await driver.add(*(f"job-{number}" for number in range(10)))
    await driver.add(*(f"urgent-{number}" for number in range(10)), place="1")
    await driver.add("lifo", place="lifo")
    assert ids(await driver.take(0)) == []
    assert [len((await driver.take(4)).jobs) for _ in range(6)] == [4, 4, 4, 4, 4, 1]


async def test_taking_from_an_empty_queue_answers_nothing(driver: Driver) -> None:
    taken = await driver.take(5)
    assert (taken.jobs, taken.due_ms) == ([], -1)


async def test_a_job_goes_to_one_of_two_consumers(driver: Driver) -> None:
    await driver.add("a", "b", "c")
    assert ids(await driver.take(2, consumer="w1")) == ["a", "b"]
    assert ids(await driver.take(2, consumer="w2")) == ["c"]


async def test_a_taken_job_brings_what_was_added(driver: Driver) -> None:
    await driver.add("job", data=b'{"a":1}', options=b'{"attempts":3}', place="4")
    job = await driver.take_one()
    record = Record.parse(job.record)
    assert (record.name, record.data, record.history.priority) == (b'"task"', b'{"a":1}', 4)
    assert (record.options, record.progress) == (b'{"attempts":3}', b"")
    assert record.history[1:5] == (0, 0, 0, 0)
    assert record.history.added_ms > 0


async def due_at_once(driver: Driver, names: list[str]) -> None:
    """Add delayed jobs whose times have all come, wherever in that millisecond they fall."""
    for name in names:
        await driver.add(name, delay_ms=1)

    async def all_due() -> bool:
        scores = (await driver.dump()).zsets["delayed"].values()
        return max(scores) // 4096 <= await driver.now_ms()

    await until(all_due, what="the delayed jobs to be due")


async def test_due_jobs_are_promoted_in_the_order_of_their_adds(driver: Driver) -> None:
    names = [f"job-{number}" for number in range(40)]
    await due_at_once(driver, names)
    assert ids(await driver.take(100)) == names


async def test_jobs_due_in_the_same_millisecond_keep_the_order_of_their_adds(
    driver: Driver,
) -> None:
    names = [f"{letter}-{number}" for number in range(15) for letter in "zyxa"]
    await driver.add(*names, delay_ms=1)  # one call is one moment
    scores = (await driver.dump()).zsets["delayed"].values()
    assert len({score // 4096 for score in scores}) == 1
    await until(lambda: take_all(driver, names), what="the delayed jobs to come in order")


async def take_all(driver: Driver, names: list[str]) -> bool:
    """Take everything; True when it was `names`."""
    taken = ids(await driver.take(100))
    assert taken in ([], names)
    return taken == names


async def test_a_due_job_stands_behind_what_waits_already(driver: Driver) -> None:
    await driver.add("waiting")
    await due_at_once(driver, ["due"])
    assert ids(await driver.take(5)) == ["waiting", "due"]


async def test_a_job_that_is_not_due_is_not_taken(driver: Driver) -> None:
    await driver.add("later", delay_ms=50_000)
    taken = await driver.take(5)
    assert taken.jobs == []
    assert 40_000 < taken.due_ms <= 50_000


async def test_at_most_60_due_jobs_are_promoted_in_one_call(driver: Driver) -> None:
    names = [f"job-{number:03}" for number in range(100)]
    await driver.add(*names, delay_ms=1)
    await until(lambda: promoted(driver, 60), what="the first due jobs to be promoted")
    assert await promoted(driver, 40)


async def promoted(driver: Driver, count: int) -> bool:
    """Take without a free slot; True when that promoted exactly `count` jobs."""
    before = (await driver.scripts.counts())[2]
    await driver.take(0)
    done = before - (await driver.scripts.counts())[2]
    assert done in (0, count)
    return done == count


async def wake(driver: Driver) -> bool:
    """Take the wake marker as a blocked worker does; True when it was there."""
    return bool(await driver.redis("ZPOPMIN", driver.keys.wake))


async def test_one_wake_up_leads_to_the_next_while_work_remains(driver: Driver) -> None:
    await driver.add("a", "b", "c")
    assert await wake(driver)
    await driver.take(1)
    assert await wake(driver)
    await driver.take(2)
    assert not await wake(driver)


async def test_a_priority_job_that_remains_wakes_the_next_worker(driver: Driver) -> None:
    await driver.add("plain")
    await driver.add("urgent", place="1")
    assert await wake(driver)
    assert ids(await driver.take(1)) == ["plain"]
    assert await wake(driver)


async def test_every_way_into_the_line_wakes_a_worker(driver: Driver) -> None:
    await driver.scripts.open(lease_ms=LONG_MS)
    await driver.add("job")
    assert await wake(driver)
    job = await driver.take_one()
    await driver.finish(settle(job, "waiting", rule=""))
    assert await wake(driver)
    job = await driver.take_one()
    await driver.scripts.release(consumer="w1", jobs=[("job", job.token)])
    assert await wake(driver)
    job = await driver.take_one()
    await driver.sweep(dead="w1")
    assert await wake(driver)
    job = await driver.take_one()
    await driver.finish(settle(job, "delayed", rule="60000"))
    assert await wake(driver)


async def test_an_entry_whose_job_was_deleted_by_hand_is_dropped(driver: Driver) -> None:
    await driver.add("deleted", "kept")
    await driver.redis("DEL", driver.keys.job("deleted"))
    assert ids(await driver.take(2)) == ["kept"]
    assert (await driver.dump()).stream("ready").workers.pending.keys() == {
        entry.id for entry in (await driver.dump()).stream("ready").entries
    }
    await driver.wipe()


async def test_fences_grow_over_both_lanes(driver: Driver) -> None:
    tokens: list[TakenJob] = []
    for number in range(20):
        await driver.add(f"job-{number}", place=str(number % 2))
        tokens.append(await driver.take_one())
    fences = [tuple(map(int, job.token.removeprefix(b"x").split(b"-"))) for job in tokens]
    assert fences == sorted(set(fences))


async def test_entries_whose_jobs_were_deleted_by_hand_do_not_put_a_worker_to_sleep(
    driver: Driver, queue: Queue, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vqueue.wake.IDLE_BLOCK", 60.0)  # nobody looks by himself
    monkeypatch.setattr("vqueue.fetching.IDLE_BLOCK", 60.0)
    await driver.add("a", "b", "c", "d")
    for job_id in ("a", "b", "c"):
        await driver.redis("DEL", driver.keys.job(job_id))
    handler = HeldHandler()
    handler.let_go.set()
    async with Worker(queue.name, handler, redis_url, lock_duration=600):
        await ended(queue, "d")
    await driver.wipe()
