"""The dead letter queue: a job about each one that has failed for good."""

from collections.abc import AsyncIterator

import pytest

from tests.support.driver import Driver, ids, settle
from tests.support.invariants import check_invariants
from tests.support.waiting import until
from tests.support.workers import ended, jobs_in
from vqueue import InvalidOption, Job, JobOptions, JobState, Queue, Worker


@pytest.fixture
async def letters(redis_url: str, queue_name: str) -> AsyncIterator[Queue]:
    """The queue of the dead letters."""
    async with Queue(f"{queue_name}-dead", redis_url) as letters:
        yield letters
    await check_invariants(redis_url, letters.name)


async def test_a_job_without_attempts_left_leaves_a_letter(
    queue: Queue, letters: Queue, redis_url: str, queue_name: str
) -> None:
    async def handler(_: Job) -> None:
        raise ValueError('no "such" file')

    data = {"width": 640, "big": 2**60, "none": [], "text": "ä\n"}
    added = await queue.add("resize", data, attempts=2, dead_letter=letters.name)
    async with Worker(queue_name, handler, redis_url):
        await ended(queue, added.id)
    (letter,) = await jobs_in(letters, added.id, states={JobState.WAITING})
    assert letter.name == "resize"
    stacks = letter.data.pop("stacktrace")
    assert ['ValueError: no "such" file' in stack for stack in stacks] == [True, True]
    assert letter.data == {
        "queue": queue_name,
        "job_id": added.id,
        "name": "resize",
        "data": data,
        "failed_reason": 'no "such" file',
        "attempts_made": 2,
    }


async def test_the_letter_is_a_job_like_any_other(
    queue: Queue, letters: Queue, redis_url: str, queue_name: str
) -> None:
    async def fails(_: Job) -> None:
        raise ValueError

    async def reads(job: Job) -> str:
        return f"{job.data['queue']} {job.data['failed_reason']}"

    added = await queue.add("task", dead_letter=letters.name, remove_on_fail=True)
    async with Worker(queue_name, fails, redis_url), Worker(letters.name, reads, redis_url):
        (letter,) = await ended(letters, added.id)
    assert letter.returnvalue == f"{queue_name} ValueError"
    assert await queue.get_job(added.id) is None


async def test_a_stall_above_the_limit_leaves_a_letter(
    queue: Queue, letters: Queue, driver: Driver
) -> None:
    job = await queue.add("task", [1], dead_letter=letters.name)
    await driver.take_one()
    await driver.sweep(dead="w1", max_stalled=0)
    letter = await letters.get_job(job.id)
    assert letter is not None
    assert letter.data["failed_reason"] == "job stalled more than allowable limit"
    assert letter.data["data"] == [1]
    assert letter.data["stacktrace"] == []


async def test_completed_retried_and_cancelled_jobs_leave_none(
    queue: Queue, letters: Queue, driver: Driver
) -> None:
    for name in ("completed", "retried", "cancelled", "waiting"):
        await queue.add("task", job_id=name, dead_letter=letters.name)
    completed, retried, cancelled = (await driver.take(3)).jobs
    await queue.cancel("cancelled")
    await queue.cancel("waiting")
    await driver.finish(settle(completed), settle(retried, "waiting"), settle(cancelled, "waiting"))
    assert await driver.state("cancelled") == "failed"
    assert sum((await letters.get_job_counts()).values()) == 0


async def test_a_job_whose_lease_runs_out_for_good_leaves_a_letter(
    queue: Queue, letters: Queue, driver: Driver
) -> None:
    await queue.add("task", job_id="job", dead_letter=letters.name)
    await driver.take_one(lease_ms=100)

    async def has_failed() -> bool:
        await driver.sweep(max_stalled=0)
        return await driver.state("job") == "failed"

    await until(has_failed, what="the job to fail with its lease")
    letter = await letters.get_job("job")
    assert letter is not None
    assert letter.data["failed_reason"] == "job stalled more than allowable limit"


async def test_a_second_letter_of_a_job_has_an_id_of_its_own(
    queue: Queue, letters: Queue, driver: Driver
) -> None:
    await queue.add("task", job_id="job", dead_letter=letters.name)
    for _ in range(2):
        await driver.finish(settle(await driver.take_one(), "failed", rule="-1 -1 +"))
        await queue.retry("job")
    assert [job and job.id for job in await letters.get_jobs(["job", "job.2"])] == ["job", "job.2"]


async def test_each_failure_leaves_a_letter_when_a_job_begins_anew(
    queue: Queue, letters: Queue, driver: Driver
) -> None:
    await queue.add("task", job_id="job", dead_letter=letters.name)
    for _ in range(4):
        await driver.finish(settle(await driver.take_one(), "failed", rule="-1 -1 +"))
        await queue.retry("job", reset_attempts_made=True, reset_attempts_started=True)
    assert (await letters.get_job_counts())[JobState.WAITING] == 4


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidOption, match="dead letter queue"):
        JobOptions(dead_letter="a:b")


async def test_letters_of_one_call_reach_their_queues_in_order(
    queue: Queue, letters: Queue, redis_url: str
) -> None:
    driver = Driver(redis_url, queue.name)
    async with Queue(f"{letters.name}-too", redis_url) as others:
        for number, to in enumerate((letters, others, letters)):
            await queue.add(f"n{number}", job_id=f"j{number}", dead_letter=to.name)
        await letters.add("taken", job_id="j0")
        jobs = (await driver.take(3)).jobs
        await driver.finish(*(settle(job, "failed", rule="-1 -1 +") for job in jobs))
        expectations = ((letters, ["j0", "j0.1", "j2"], "n2"), (others, ["j1"], "n1"))
        for to, expected, last in expectations:
            reader = Driver(redis_url, to.name)
            assert ids(await reader.take(9)) == expected
            told = [event for event in await reader.events() if event.name in ("added", "waiting")]
            assert [event.job_id for event in told] == [i for i in expected for _ in range(2)]
            assert [e.data["name"] for e in told if e.name == "added"][-1] == last
            await reader.close()
        await others.obliterate(force=True)
    await driver.close()
