"""Time-outs of attempts, and leases of single jobs."""

import asyncio

import pytest

from tests.support.driver import Driver
from tests.support.relay import relay_to
from tests.support.waiting import until
from tests.support.workers import HeldHandler, ended
from vqueue import InvalidOption, Job, JobOptions, Queue, Worker


async def test_an_attempt_that_takes_too_long_fails_and_is_tried_again(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    handler = HeldHandler()
    added = await queue.add("task", job_id="slow", attempts=2, timeout=0.05)
    async with Worker(queue_name, handler, redis_url):
        (job,) = await ended(queue, added.id)
    assert (job.state, job.attempts_made) == ("failed", 2)
    assert job.failed_reason == "timeout: job slow did not end within 0.05 s"
    assert [job.id for job in handler.cancelled] == ["slow", "slow"]


async def test_the_time_out_of_a_job_comes_before_that_of_its_worker(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    async def handler(_: Job) -> str:
        await asyncio.sleep(0.1)
        return "done"

    await queue.add("task", job_id="patient", timeout=60)
    await queue.add("task", job_id="plain")
    async with Worker(queue_name, handler, redis_url, timeout=0.05, concurrency=2):
        patient, plain = await ended(queue, "patient", "plain")
    assert patient.returnvalue == "done"
    assert plain.failed_reason == "timeout: job plain did not end within 0.05 s"


async def test_a_time_out_of_the_handlers_own_is_not_mistaken_for_the_jobs(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    async def handler(_: Job) -> None:
        async with asyncio.timeout(0.01):
            await asyncio.Event().wait()

    added = await queue.add("task", timeout=60)
    async with Worker(queue_name, handler, redis_url):
        (job,) = await ended(queue, added.id)
    assert job.failed_reason == "TimeoutError"


async def test_a_cancelled_job_with_a_time_out_is_cancelled(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    handler = HeldHandler()
    first = await queue.add("task", timeout=60)
    second = await queue.add("task", timeout=60)
    async with Worker(queue_name, handler, redis_url, lock_duration=0.6):
        await handler.running(1)
        await queue.cancel(first.id)
        await handler.running(2)
        handler.let_go.set()
        jobs = await ended(queue, first.id, second.id)
    assert [job.failed_reason for job in jobs] == ["cancelled", None]


async def idle_ms(driver: Driver) -> int:
    """Since when the one pending entry has been silent, as the sweep sees it."""
    pending = await driver.redis("XPENDING", driver.keys.ready, "workers", "-", "+", 9)
    idle: int = pending[0][2]
    return idle


async def test_a_job_with_a_shorter_lease_is_judged_by_its_own(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    handler = HeldHandler()
    added = await queue.add("task", lock_duration=0.3)
    worker = Worker(queue_name, handler, redis_url, lock_duration=60)
    running = asyncio.create_task(worker.run())
    await handler.running(1)

    async def is_short() -> bool:
        return await idle_ms(driver) >= 60_000 - 300

    await until(is_short, what="the first heartbeat with the job's lease")
    assert (await driver.sweep())[:2] == (0, 0)  # it is renewed
    await worker._lease.stop()  # as if the worker had died

    async def swept() -> bool:
        return (await driver.sweep())[0] == 1

    await until(swept, what="the lease to run out", deadline=5)
    await worker.close(0)
    await running
    job = await queue.get_job(added.id)
    assert job is not None
    assert (job.state, job.stalled_count) == ("waiting", 1)


async def test_a_worker_cut_off_gives_up_a_job_by_the_jobs_own_lease(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    handler = HeldHandler()
    await queue.add("task", lock_duration=0.4)
    async with relay_to(redis_url) as relay:
        url = relay.url.replace("http", "redis")
        worker = Worker(queue_name, handler, url, lock_duration=60)
        running = asyncio.create_task(worker.run())
        await handler.running(1)
        await until(lambda: bool(worker._lease._granted), what="the job's lease to be granted")
        relay.replies_pass.clear()
        # by the worker's own lease that would be in 48 seconds
        await until(lambda: bool(handler.cancelled), what="the handler to be cancelled")
        relay.replies_pass.set()
        await worker.close(0)
        await running


async def test_a_job_with_a_longer_lease_keeps_it(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    handler = HeldHandler()
    added = await queue.add("task", lock_duration=600)
    async with Worker(queue_name, handler, redis_url, lock_duration=0.5) as worker:
        await handler.running(1)

        async def is_long() -> bool:
            return bool(await driver.redis("HGET", driver.keys.meta, "lease") == b"600000")

        await until(is_long, what="the queue to know of the lease")
        (token,) = worker._holdings.running
        await until(
            lambda: worker._lease._granted == {token: 600.0}, what="the worker to count on it"
        )
        handler.let_go.set()
        (job,) = await ended(queue, added.id)
        assert worker._lease._own == worker._lease._granted == {}
    assert job.attempts_started == 1


@pytest.mark.parametrize(
    ("option", "value"), [("timeout", 0), ("timeout", -1), ("lock_duration", 0.05)]
)
def test_durations_that_are_too_short_are_refused(option: str, value: float) -> None:
    with pytest.raises(InvalidOption, match=option):
        JobOptions(**{option: value})
