"""Queue.cancel: a job ends from outside, wherever it is, and is not tried again."""

import asyncio

import pytest

from tests.support.driver import KEEP_NONE, LONG_MS, Driver, settle
from tests.support.waiting import until
from tests.support.workers import HeldHandler, ended
from vqueue import Cancellation, Job, NewJob, Queue, Worker


async def gate(driver: Driver) -> bytes | None:
    """What keeps jobs from being taken, and whether cancellations are under way."""
    raw: bytes | None = await driver.redis("HGET", driver.keys.meta, "gate")
    return raw


@pytest.mark.parametrize(
    ("delay", "priority", "lifo", "state"),
    [
        (0, 0, False, "waiting"),
        (0, 5, False, "prioritized"),
        (0, 0, True, "waiting"),
        (60, 0, False, "delayed"),
    ],
)
async def test_a_job_that_has_not_started_is_failed_at_once(
    queue: Queue, driver: Driver, delay: int, priority: int, lifo: bool, state: str
) -> None:
    added = await queue.add("task", attempts=3, delay=delay, priority=priority, lifo=lifo)
    assert await queue.cancel(added.id, reason="not needed") is Cancellation.CANCELLED
    job = await queue.get_job(added.id)
    assert job is not None
    assert (job.state, job.failed_reason) == ("failed", "cancelled: not needed")
    assert (job.attempts_made, job.attempts_started) == (0, 0)
    assert job.finished_on is not None
    assert (await driver.take(9)).jobs == []
    (failed,) = [event for event in await driver.events() if event.name == "failed"]
    assert failed.data == {
        "failed_reason": "cancelled: not needed",
        "prev": state,
        "attempts_made": 0,
        "attempts_started": 0,
        "processed_on": None,
    }


async def test_what_cannot_be_cancelled_is_told(queue: Queue, driver: Driver) -> None:
    assert await queue.cancel("nobody") is Cancellation.UNKNOWN
    await driver.add("good", "bad")
    good, bad = (await driver.take(2)).jobs
    await driver.finish(settle(good), settle(bad, "failed"))
    assert await queue.cancel("good") is Cancellation.ENDED
    assert await queue.cancel("bad") is Cancellation.ENDED
    await driver.add("waiting")
    await queue.cancel("waiting")
    assert await queue.cancel("waiting") is Cancellation.ENDED


async def test_a_cancelled_job_obeys_its_retention(queue: Queue) -> None:
    job = await queue.add("task", remove_on_fail=True)
    assert await queue.cancel(job.id) is Cancellation.CANCELLED
    assert await queue.get_job(job.id) is None


async def test_a_running_handler_is_cancelled_and_not_tried_again(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    handler = HeldHandler()
    added = await queue.add("task", attempts=5, backoff=1)
    async with Worker(queue_name, handler, redis_url, lock_duration=0.6):
        await handler.running(1)
        async with Queue(queue_name, redis_url) as elsewhere:
            assert await elsewhere.cancel(added.id, reason="stop") is Cancellation.REQUESTED
        (job,) = await ended(queue, added.id)
    assert (job.state, job.failed_reason) == ("failed", "cancelled: stop")
    assert (job.attempts_made, job.attempts_started) == (1, 1)
    assert [job.id for job in handler.cancelled] == [added.id]


async def test_the_slot_of_a_cancelled_job_runs_the_next_one(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    handler = HeldHandler()
    first = await queue.add("task")
    second = await queue.add("task")
    async with Worker(queue_name, handler, redis_url, lock_duration=0.6):
        await handler.running(1)
        await queue.cancel(first.id)
        await handler.running(2)
        handler.let_go.set()
        jobs = await ended(queue, first.id, second.id)
    assert [job.state for job in jobs] == ["failed", "completed"]


async def test_a_handler_that_cleans_up_with_an_error_is_cancelled_all_the_same(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    started = asyncio.Event()

    async def handler(_: Job) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as error:
            raise OSError("no clean-up") from error

    added = await queue.add("task", attempts=3)
    async with Worker(queue_name, handler, redis_url, lock_duration=0.6):
        await started.wait()
        await queue.cancel(added.id)
        (job,) = await ended(queue, added.id)
    assert (job.state, job.failed_reason) == ("failed", "cancelled")


async def test_a_result_that_comes_before_the_cancellation_stands(
    queue: Queue, driver: Driver
) -> None:
    await driver.add("job")
    job = await driver.take_one()
    assert await queue.cancel("job") is Cancellation.REQUESTED
    await driver.finish(settle(job))
    assert await driver.state("job") == "completed"
    await driver.sweep()
    assert await gate(driver) is None
    assert await driver.redis("EXISTS", driver.keys.prefix + "cancels") == 0


@pytest.mark.parametrize("outcome", ["delayed", "waiting"])
async def test_another_attempt_is_not_given_to_a_cancelled_job(
    queue: Queue, driver: Driver, outcome: str
) -> None:
    await driver.add("job", "other")
    jobs = (await driver.take(2)).jobs
    await queue.cancel("job", reason="stop")
    rule = "60000" if outcome == "delayed" else ""
    reply = await driver.finish(*(settle(job, outcome, rule=rule) for job in jobs))
    assert reply.statuses == [1, 1]
    assert await driver.state("other") == outcome
    job = await queue.get_job("job")
    assert job is not None
    assert (job.state, job.failed_reason, job.attempts_made) == ("failed", "cancelled: stop", 1)


async def test_a_hand_back_ends_a_cancelled_job(queue: Queue, driver: Driver) -> None:
    await driver.add("job", "other")
    jobs = (await driver.take(2)).jobs
    await queue.cancel("job")
    held = [(job.id.decode(), job.token) for job in jobs]
    assert await driver.scripts.release(consumer="w1", jobs=held) == [1, 1]
    assert [await driver.state(name) for name in ("job", "other")] == ["failed", "waiting"]


async def test_a_stall_ends_a_cancelled_job(queue: Queue, driver: Driver) -> None:
    await driver.add("job", "other")
    await driver.take(2)
    await queue.cancel("job", reason="stop")
    assert (await driver.sweep(dead="w1", max_stalled=9))[:2] == (1, 1)
    job = await queue.get_job("job")
    assert job is not None
    assert (job.state, job.failed_reason, job.stalled_count) == ("failed", "cancelled: stop", 1)
    assert await driver.state("other") == "waiting"


async def test_the_heartbeat_tells_who_holds_a_cancelled_job(queue: Queue, driver: Driver) -> None:
    await driver.add("job", "other")
    tokens = [job.token for job in (await driver.take(2)).jobs]
    await queue.cancel("job", reason="stop")
    for _ in range(2):  # until it ends: a reply may be lost
        beat = await driver.scripts.heartbeat(consumer="w1", lease_ms=LONG_MS, tokens=tokens)
        assert beat.cancelled == {tokens[0]: b'"cancelled: stop"'}
    beat = await driver.scripts.heartbeat(consumer="w2", lease_ms=LONG_MS, tokens=tokens)
    assert beat.cancelled == {}


async def test_cancellations_under_way_survive_the_sweep_and_a_pause(
    queue: Queue, driver: Driver
) -> None:
    await driver.add("job", "other")
    job = await driver.take_one()
    await queue.cancel("job")
    await queue.pause()
    await driver.sweep()
    await queue.resume()
    assert await gate(driver) == b"c"
    assert [other.id for other in (await driver.take(2)).jobs] == [b"other"]
    await driver.finish(settle(job, "waiting"))
    assert await driver.state("job") == "failed"


async def test_jobs_cancelled_before_their_handlers_start_do_not_run(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    ran: list[str] = []

    async def handler(job: Job) -> None:
        ran.append(job.id)
        # the other jobs of the same take have not started yet
        for activation in list(worker._holdings.running.values()):
            if activation.job_id != job.id:
                activation.cancel(b'"cancelled"')
                activation.cancel(b'"cancelled: twice"')

    added = await queue.add_bulk([NewJob(name="task") for _ in range(20)])
    worker = Worker(queue_name, handler, redis_url, concurrency=20)
    async with worker:
        first, *others = await ended(queue, *(job.id for job in added))
    assert ran == [first.id]
    assert first.state == "completed"
    assert {job.failed_reason for job in others} == {"cancelled"}


async def test_removal_without_retention_ends_a_cancelled_stall_for_good(
    queue: Queue, driver: Driver
) -> None:
    await driver.add("job", options=b'{"remove_on_fail":"%b"}' % KEEP_NONE.encode())
    await driver.take_one()
    await queue.cancel("job")
    await driver.sweep(dead="w1")

    async def gone() -> bool:
        return await driver.state("job") is None

    await until(gone, what="the job to be removed")
