"""Retention: finished jobs go by number and age, and leave nothing behind."""

import pytest

from tests.support.driver import Driver, settle
from tests.support.waiting import until
from vqueue import Job, JobState, Queue, Retention, Worker


async def run_jobs(driver: Driver, names: list[str], rule: str, outcome: str = "completed") -> None:
    """Add, take and finish jobs one after the other."""
    for name in names:
        await driver.add(name)
        await driver.finish(settle(await driver.take_one(), outcome, rule=rule))


@pytest.mark.parametrize("outcome", ["completed", "failed"])
async def test_the_newest_are_kept_by_count(driver: Driver, outcome: str) -> None:
    names = [f"job-{number:02}" for number in range(20)]
    await run_jobs(driver, names, "5 -1", outcome)
    dump = await driver.dump()
    assert sorted(dump.zsets[outcome]) == names[-5:]
    assert sorted(dump.jobs) == names[-5:]


async def test_the_number_of_keys_stays_bounded(driver: Driver) -> None:
    for start in range(0, 2000, 250):
        await driver.add(*(f"job-{number}" for number in range(start, start + 250)))
        jobs = (await driver.take(250)).jobs
        await driver.finish(*(settle(job, rule="10 -1") for job in jobs))
        assert len((await driver.dump()).jobs) == 10


async def test_removed_at_once(driver: Driver) -> None:
    await run_jobs(driver, ["a", "b"], "0 -1")
    dump = await driver.dump()
    assert dump.jobs == {}
    assert dump.zsets.get("completed", {}) == {}
    assert sorted(dump.strings) == ["gone:a", "gone:b"]


async def test_a_repeat_for_a_job_that_has_gone_since_is_answered_as_done(driver: Driver) -> None:
    await driver.add("first", "second")
    first, second = (await driver.take(2)).jobs
    for job in (first, second):
        await driver.finish(settle(job, rule="1 -1"))
    assert await driver.state("first") is None
    assert (await driver.finish(settle(first))).statuses == [2]
    assert (await driver.finish(settle(first), consumer="w2")).statuses == [0]


async def test_old_jobs_go_when_another_one_ends(driver: Driver) -> None:
    await run_jobs(driver, ["old"], "-1 -1")
    score = (await driver.dump()).zsets["completed"]["old"]

    async def a_moment_later() -> bool:
        return await driver.now_ms() > score + 20

    await until(a_moment_later, what="20 ms to pass on the server")
    await run_jobs(driver, ["young"], "-1 60000")
    assert await driver.state("old") == "completed"
    await run_jobs(driver, ["new"], "-1 20")
    assert await driver.state("old") is None
    assert await driver.state("new") == "completed"


async def test_the_clock_applies_the_rule_of_the_workers_and_of_no_job(driver: Driver) -> None:
    await run_jobs(driver, ["old"], "-1 20")
    score = (await driver.dump()).zsets["completed"]["old"]

    async def a_moment_later() -> bool:
        return await driver.now_ms() > score + 20

    await until(a_moment_later, what="20 ms to pass on the server")
    assert await driver.scripts.retain(completed="-1 60000", failed="-1 -1") == 0
    assert await driver.state("old") == "completed"
    assert await driver.scripts.retain(completed="-1 20", failed="-1 -1") == 1
    assert await driver.state("old") is None


async def test_log_lines_go_with_a_job_that_is_removed_later(driver: Driver) -> None:
    await driver.add("old")
    job = await driver.take_one()
    await driver.scripts.log(consumer="w1", keep=9, lines=[("old", job.token, 1, "line")])
    await driver.finish(settle(job))
    await run_jobs(driver, ["young"], "1 -1")
    assert list((await driver.dump()).jobs) == ["young"]
    assert (await driver.dump()).lists == {}


async def test_each_set_has_a_rule_of_its_own(driver: Driver) -> None:
    await run_jobs(driver, ["broken"], "-1 -1", "failed")
    await run_jobs(driver, ["done-1", "done-2"], "1 -1")
    assert sorted((await driver.dump()).jobs) == ["broken", "done-2"]


async def test_one_call_removes_at_most_250_and_the_next_goes_on(driver: Driver) -> None:
    for start in range(0, 400, 100):
        await driver.add(*(f"job-{number}" for number in range(start, start + 100)))
        await driver.finish(*map(settle, (await driver.take(100)).jobs))
    await run_jobs(driver, ["one"], "1 -1")
    assert len((await driver.dump()).jobs) == 151
    await run_jobs(driver, ["two"], "1 -1")
    assert list((await driver.dump()).jobs) == ["two"]


@pytest.mark.parametrize("rule", [Retention(count=1, limit=3), Retention(age=0, limit=3)], ids=str)
async def test_one_call_removes_no_more_than_the_limit_of_its_rule(
    driver: Driver, rule: Retention
) -> None:
    await run_jobs(driver, [f"job-{number}" for number in range(9)], "-1 -1")
    await driver.pass_millisecond()
    for left in (7, 5):
        await run_jobs(driver, [f"last-{left}"], f"{rule.to_wire()} *")
        assert len((await driver.dump()).jobs) == left


async def test_rules_of_several_jobs_share_what_a_call_removes(driver: Driver) -> None:
    await driver.add(*(f"job-{number}" for number in range(600)))
    for _ in range(6):
        await driver.finish(*map(settle, (await driver.take(100)).jobs))
    await driver.add("one", "two")
    one, two = (await driver.take(2)).jobs
    await driver.finish(settle(one, rule="100 -1"), settle(two, rule="50 -1"))
    assert len((await driver.dump()).jobs) == 602 - 250


async def test_the_jobs_own_rule_comes_before_the_workers(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    async def handler(job: Job) -> None:
        if job.name == "fails":
            raise ValueError(job.name)

    for name in ("succeeds", "fails"):
        await queue.add(name, job_id=f"{name}-own", remove_on_complete=5, remove_on_fail=5)
        await queue.add(name, job_id=f"{name}-default")
    worker = Worker(
        queue_name, handler, redis_url, remove_on_complete=True, remove_on_fail=Retention(count=0)
    )
    async with worker:

        async def all_ended() -> bool:
            counts = await queue.get_job_counts()
            return counts[JobState.WAITING] == counts[JobState.ACTIVE] == 0

        await until(all_ended, what="the jobs to end")
    names = ["succeeds-own", "succeeds-default", "fails-own", "fails-default"]
    assert [job and job.state for job in await queue.get_jobs(names)] == [
        "completed",
        None,
        "failed",
        None,
    ]
