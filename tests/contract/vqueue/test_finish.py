"""finish: active → completed, failed, delayed or waiting; then the next jobs."""

import pytest

from tests.support.driver import LONG_MS, Driver, ids, settle
from vqueue.record import Record


@pytest.mark.parametrize(
    ("outcome", "rule", "events"),
    [
        ("completed", "-1 -1", ["completed"]),
        ("failed", "-1 -1", ["failed"]),
        ("delayed", "60000", ["delayed"]),
        ("waiting", "", ["waiting"]),
    ],
)
async def test_a_job_ends_in_its_outcome(
    driver: Driver, outcome: str, rule: str, events: list[str]
) -> None:
    await driver.add("job")
    job = await driver.take_one()
    settled = await driver.finish(settle(job, outcome, rule=rule))

    assert settled.statuses == [1]
    assert await driver.state("job") == outcome
    assert await driver.history("job") == ["added", "waiting", "active", *events]


@pytest.mark.parametrize("outcome", ["completed", "failed", "delayed", "waiting"])
@pytest.mark.parametrize("rule", ["-1 -1", "0 -1"], ids=["kept", "removed"])
async def test_a_repeated_finish_is_answered_done_and_changes_nothing(
    driver: Driver, outcome: str, rule: str
) -> None:
    await driver.add("job")
    job = await driver.take_one()
    if outcome == "delayed":
        rule = "60000"
    await driver.finish(settle(job, outcome, rule=rule))
    state, history = await driver.state("job"), await driver.history("job")

    assert (await driver.finish(settle(job, outcome, rule=rule))).statuses == [2]
    assert await driver.state("job") == state
    assert await driver.history("job") == history


async def test_a_finish_of_another_consumer_is_refused(driver: Driver) -> None:
    await driver.add("job")
    job = await driver.take_one(consumer="w1")
    assert (await driver.finish(settle(job), consumer="w2")).statuses == [0]
    assert await driver.state("job") == "active"


async def test_a_finish_after_the_lease_was_lost_is_refused(driver: Driver) -> None:
    await driver.scripts.open(lease_ms=LONG_MS)
    await driver.add("job")
    late = await driver.take_one(consumer="w1")
    await driver.sweep(dead="w1")
    current = await driver.take_one(consumer="w2")

    assert (await driver.finish(settle(late, value=b'"late"'))).statuses == [0]
    assert (await driver.finish(settle(current), consumer="w2")).statuses == [1]
    assert (await driver.finish(settle(late, value=b'"late"'))).statuses == [0]
    snapshot = await driver.snapshot("job")
    assert snapshot is not None
    assert Record.parse(snapshot.record).value == b'"done"'


async def test_a_finish_of_an_earlier_activation_does_not_touch_the_present_one(
    driver: Driver,
) -> None:
    await driver.add("job")
    earlier = await driver.take_one()
    await driver.finish(settle(earlier, "waiting", rule=""))
    await driver.take_one()
    assert (await driver.finish(settle(earlier))).statuses == [2]
    assert await driver.state("job") == "active"


async def test_good_and_refused_jobs_of_one_call_are_told_apart(driver: Driver) -> None:
    await driver.add("good", "done", "lost")
    good, done, lost = (await driver.take(3)).jobs
    await driver.finish(settle(done))
    stranger = settle(lost)._replace(token=b"1-1")
    assert (await driver.finish(settle(good), settle(done), stranger)).statuses == [1, 2, 0]


@pytest.mark.parametrize("command", ["DEL", "HSET"])
async def test_a_record_broken_while_its_job_ran_is_made_anew(driver: Driver, command: str) -> None:
    await driver.add("first", "broken", "last")
    jobs = (await driver.take(3)).jobs
    await driver.redis("DEL", driver.keys.job("broken"))
    if command == "HSET":
        await driver.redis("HSET", driver.keys.job("broken"), "not a", "record")
    assert (await driver.finish(*map(settle, jobs))).statuses == [1, 1, 1]
    assert [await driver.state(job.id.decode()) for job in jobs] == ["completed"] * 3


async def test_the_next_jobs_come_with_the_answer(driver: Driver) -> None:
    await driver.add("a", "b", "c", "d")
    jobs = (await driver.take(2)).jobs
    settled = await driver.finish(*map(settle, jobs), want=5)
    assert ids(settled.taken) == ["c", "d"]
    assert settled.taken.now_ms > 0


async def test_no_job_comes_with_the_answer_unless_wanted(driver: Driver) -> None:
    await driver.add("a", "b")
    settled = await driver.finish(settle(await driver.take_one()))
    assert settled.taken.jobs == []


async def test_a_job_retried_at_once_may_come_with_the_answer_last(driver: Driver) -> None:
    await driver.add("again", "other")
    settled = await driver.finish(settle(await driver.take_one(), "waiting", rule=""), want=2)
    assert ids(settled.taken) == ["other", "again"]


async def test_progress_that_was_not_sent_is_written_before_the_end(driver: Driver) -> None:
    await driver.add("job")
    await driver.finish(settle(await driver.take_one(), progress=b"99"))
    snapshot = await driver.snapshot("job")
    assert snapshot is not None
    assert snapshot.progress == b"99"
    assert (await driver.history("job"))[-2:] == ["progress", "completed"]


async def test_counters_and_values_of_the_attempts_are_kept(driver: Driver) -> None:
    await driver.add("job")
    await driver.finish(settle(await driver.take_one(), "waiting", value=b'"why"', rule=""))
    snapshot = await driver.snapshot("job")
    assert snapshot is not None
    assert Record.parse(snapshot.record).value == b'"why"'
    await driver.finish(settle(await driver.take_one()))
    snapshot = await driver.snapshot("job")
    assert snapshot is not None
    record = Record.parse(snapshot.record)
    assert (record.history[1:3], record.value) == ((2, 2), b'"done"')


async def test_a_retried_job_keeps_its_priority(driver: Driver) -> None:
    await driver.add("first", "second", place="5")
    await driver.finish(settle(await driver.take_one(), "waiting", rule=""))
    assert await driver.state("first") == "prioritized"
    await driver.add("third", place="5")
    assert ids(await driver.take(3)) == ["second", "first", "third"]


async def test_250_jobs_are_settled_in_one_call(driver: Driver) -> None:
    names = [f"job-{number}" for number in range(250)]
    await driver.add(*names)
    jobs = (await driver.take(250)).jobs
    settled = await driver.finish(*(settle(job, progress=b"100") for job in jobs), want=250)
    assert settled.statuses == [1] * 250
    assert (await driver.scripts.counts())[4] == 250
