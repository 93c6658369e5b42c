"""ManualWorker: jobs are taken when asked for, and held until they are settled."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.support.driver import Driver
from tests.support.waiting import until
from vqueue import JobState, LeaseLost, ManualWorker, Queue


@pytest.fixture
async def worker(redis_url: str, queue_name: str) -> AsyncIterator[ManualWorker]:
    """A worker that works by hand."""
    async with ManualWorker(queue_name, redis_url, lock_duration=0.6) as worker:
        yield worker


async def state(queue: Queue, job_id: str) -> JobState | None:
    """The state of a job."""
    job = await queue.get_job(job_id)
    return job and job.state


async def test_a_job_is_taken_and_completed(queue: Queue, worker: ManualWorker) -> None:
    assert await worker.get_next_job() is None
    added = await queue.add("task", {"width": 640})
    await queue.add("task", job_id="other")
    held = await worker.get_next_job()
    assert held is not None
    assert (held.job.id, held.job.data, held.job.state) == (added.id, {"width": 640}, "active")
    await held.job.update_progress(50)
    await held.job.log("by hand")
    await held.move_to_completed({"ok": True})
    job = await queue.get_job(added.id)
    assert job is not None
    assert (job.state, job.returnvalue, job.progress) == ("completed", {"ok": True}, 50)
    assert await queue.get_job_logs(added.id) == ["by hand"]
    # settling has not taken the next one
    assert await state(queue, "other") == "waiting"


async def test_a_failed_attempt_is_followed_by_another(queue: Queue, worker: ManualWorker) -> None:
    added = await queue.add("task", attempts=2)
    for reason in ("first", "second"):
        held = await worker.get_next_job()
        assert held is not None
        await held.move_to_failed(ValueError(reason))
    job = await queue.get_job(added.id)
    assert job is not None
    assert (job.state, job.failed_reason, job.attempts_made) == ("failed", "second", 2)


async def test_a_job_is_put_back_or_handed_back(queue: Queue, worker: ManualWorker) -> None:
    added = await queue.add("task")
    held = await worker.get_next_job()
    assert held is not None
    await held.move_to_wait()
    held = await worker.get_next_job()
    assert held is not None
    assert (held.job.attempts_started, held.job.attempts_made) == (2, 0)
    await held.release()
    held = await worker.get_next_job()
    assert held is not None
    assert held.job.attempts_started == 2
    await held.move_to_delayed(60)
    assert await state(queue, added.id) == "delayed"


async def test_a_call_waits_for_a_job(queue: Queue, worker: ManualWorker) -> None:
    waiting = asyncio.create_task(worker.get_next_job(timeout=30))
    await until(lambda: worker._wake_key.is_slept_on, what="the call to sleep")
    added = await queue.add("task")
    held = await waiting
    assert held is not None
    assert held.job.id == added.id
    await held.move_to_completed()


async def test_a_held_job_keeps_its_lease_until_it_is_settled(
    queue: Queue, driver: Driver, worker: ManualWorker
) -> None:
    await queue.add("task", job_id="job")
    held = await worker.get_next_job()
    assert held is not None
    loop = asyncio.get_running_loop()
    over = loop.time() + 3 * 0.6
    while loop.time() < over:
        assert (await driver.sweep())[0] == 0
    await held.move_to_completed()


async def test_a_job_that_another_worker_has_is_refused(
    queue: Queue, driver: Driver, worker: ManualWorker
) -> None:
    await queue.add("task", job_id="job")
    held = await worker.get_next_job()
    assert held is not None
    await driver.sweep(dead=worker.consumer)
    with pytest.raises(LeaseLost):
        await held.move_to_completed()
    assert held.is_lost
    assert await state(queue, "job") == "waiting"


async def test_a_cancelled_job_says_so_and_fails_as_cancelled(
    queue: Queue, worker: ManualWorker
) -> None:
    await queue.add("task", job_id="job", attempts=9)
    held = await worker.get_next_job()
    assert held is not None
    await queue.cancel("job", reason="stop")
    await until(lambda: held.is_cancelled, what="the heartbeat to tell")
    await held.move_to_failed(ValueError("whatever"))
    job = await queue.get_job("job")
    assert job is not None
    assert (job.state, job.failed_reason) == ("failed", "cancelled: stop")


async def test_closing_hands_back_what_is_held(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    await queue.add("task", job_id="a")
    await queue.add("task", job_id="b")
    async with ManualWorker(queue_name, redis_url) as worker:
        assert await worker.get_next_job() is not None
        assert await worker.get_next_job() is not None
        assert (await queue.get_job_counts())["active"] == 2
    assert (await queue.get_job_counts())["waiting"] == 2
    await worker.close()  # safe to repeat
