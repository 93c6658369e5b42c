"""Expiry: a job that is not started in time fails without being run."""

import pytest

from tests.support.driver import Driver, expire
from tests.support.waiting import until
from tests.support.workers import ended
from vqueue import InvalidOption, Job, JobState, Queue, Worker


class Recorder:
    """A handler that remembers what it ran."""

    def __init__(self, *, fails: int = 0) -> None:
        self.ran: list[str] = []
        self._fails = fails

    async def __call__(self, job: Job) -> None:
        """Fail as often as it was told."""
        self.ran.append(job.id)
        if len(self.ran) <= self._fails:
            raise RuntimeError("again")


async def passed(driver: Driver, since: Job, *, seconds: float) -> None:
    """Return when so much time has gone on the server since a job was added."""
    snapshot = await driver.snapshot(since.id)
    assert snapshot is not None
    added_ms = int(snapshot.record.split(b"-")[0])

    async def has_passed() -> bool:
        return await driver.now_ms() > added_ms + seconds * 1000

    await until(has_passed, what=f"{seconds} s to pass")


async def test_a_job_that_is_taken_too_late_fails_without_being_run(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    late = await queue.add("task", expires_in=0.05, attempts=5)
    await passed(driver, late, seconds=0.05)
    timely = await queue.add("task", expires_in=60)
    handler = Recorder()
    async with Worker(queue_name, handler, redis_url):
        expired, done = await ended(queue, late.id, timely.id)
    assert handler.ran == [timely.id]
    assert (expired.state, done.state) == (JobState.FAILED, JobState.COMPLETED)
    assert (expired.failed_reason or "").startswith("expired: taken ")
    assert expired.attempts_made == 1


async def test_only_the_first_start_can_be_too_late(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    handler = Recorder(fails=1)
    job = await queue.add("task", expires_in=0.5, attempts=2, backoff=0.6)
    async with Worker(queue_name, handler, redis_url):
        (done,) = await ended(queue, job.id)
    assert (done.state, len(handler.ran)) == (JobState.COMPLETED, 2)


async def test_a_stalled_job_does_not_expire(driver: Driver, queue: Queue) -> None:
    job = await queue.add("task", expires_in=0.05)
    taken = await driver.take_one()
    await passed(driver, job, seconds=0.05)
    await expire(driver, taken.token)
    await driver.sweep()
    handler = Recorder()
    async with Worker(queue.name, handler, driver.redis_url):
        (done,) = await ended(queue, job.id)
    assert done.state is JobState.COMPLETED


async def test_an_expired_job_runs_when_it_is_retried_by_hand(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    job = await queue.add("task", expires_in=0.01)
    await passed(driver, job, seconds=0.01)
    handler = Recorder()
    async with Worker(queue_name, handler, redis_url):
        await ended(queue, job.id)
        await queue.retry(job.id)
        (done,) = await ended(queue, job.id)
    assert done.state is JobState.COMPLETED


@pytest.mark.parametrize(("delay", "expires_in"), [(0, 0), (5, 5), (5, 1)])
async def test_a_job_that_would_expire_before_it_is_due_is_refused(
    queue: Queue, delay: float, expires_in: float
) -> None:
    with pytest.raises(InvalidOption, match="expires_in"):
        await queue.add("task", delay=delay, expires_in=expires_in)
