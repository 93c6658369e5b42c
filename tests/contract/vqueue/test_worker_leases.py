"""Worker: jobs whose lease is kept, lost, or not to be renewed."""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

import pytest

from devstack import Valkey
from tests.support.driver import Driver, settle
from tests.support.waiting import until
from tests.support.workers import HeldHandler, ended, jobs_in
from vqueue import Job, JobState, LeaseLost, Queue, Worker
from vqueue.scripts import Taken

#: Seconds; heartbeats go out three times as often.
LEASE = 0.3


async def test_a_lost_lease_cancels_the_handler_and_refuses_what_it_still_does(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    late_calls: list[LeaseLost] = []
    started, took_over, handler_ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def handler(job: Job) -> str:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await took_over.wait()
            for call in (job.update_progress(99), job.log("late")):
                try:
                    await call
                except LeaseLost as error:
                    late_calls.append(error)
        handler_ended.set()
        return "late"

    added = await queue.add("task")
    # a lease that outlasts the test: what cancels is the server's answer to the heartbeat
    worker = Worker(queue_name, handler, redis_url, lock_duration=600)
    async with worker:
        await started.wait()
        await driver.sweep(dead=worker.consumer)
        second = await driver.take_one(consumer="second")
        took_over.set()
        async with asyncio.timeout(20):
            await handler_ended.wait()
        assert await driver.state(added.id) == "active"
        await driver.finish(settle(second, value=b'"second"'), consumer="second")
        (job,) = await ended(queue, added.id)

    assert job.returnvalue == "second"
    assert job.progress is None
    assert await queue.get_job_logs(added.id) == []
    assert [(error.job_id, error.consumer) for error in late_calls] == [
        (added.id, worker.consumer)
    ] * 2
    assert (await driver.history(added.id)).count("completed") == 1


async def test_a_report_before_the_heartbeat_knows_finds_the_lease_lost(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    refused = asyncio.Event()
    asked: list[LeaseLost] = []

    async def handler(job: Job) -> None:
        assert job.consumer is not None
        await driver.sweep(dead=job.consumer)
        assert (await driver.take_one(consumer="second")).id.decode() == job.id
        try:
            await job.log("late")
        except LeaseLost as error:
            asked.append(error)
            refused.set()
            raise

    added = await queue.add("task", attempts=3)
    # the next heartbeat is far away
    async with Worker(queue_name, handler, redis_url, lock_duration=60):
        async with asyncio.timeout(20):
            await refused.wait()
        await jobs_in(queue, added.id, states={JobState.ACTIVE})
        assert [error.job_id for error in asked] == [added.id]
        job = await queue.get_job(added.id)
        assert job is not None
        assert (job.consumer, job.attempts_made) == ("second", 0)


async def test_a_stalled_job_is_found_by_the_workers_that_live(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    handler = HeldHandler()
    handler.let_go.set()
    added = await queue.add("task")
    await driver.scripts.open(lease_ms=200)
    await driver.take_one(consumer="dead", lease_ms=200)
    async with Worker(queue_name, handler, redis_url, lock_duration=LEASE):
        (job,) = await ended(queue, added.id)
    assert (job.state, job.stalled_count, job.attempts_started) == ("completed", 1, 2)


async def test_a_worker_fails_a_job_that_stalls_too_often(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    added = await queue.add("task")
    await driver.scripts.open(lease_ms=200)
    await driver.take_one(consumer="dead", lease_ms=200)
    worker = Worker(queue_name, HeldHandler(), redis_url, lock_duration=LEASE, max_stalled=0)
    async with worker:
        (job,) = await ended(queue, added.id)
    assert (job.state, job.failed_reason) == ("failed", "job stalled more than allowable limit")


async def test_a_worker_that_cannot_renew_cancels_its_handlers(
    tmp_path: Path, queue_name: str, caplog: pytest.LogCaptureFixture
) -> None:
    handler = HeldHandler()
    with Valkey(tmp_path) as server:
        url = server.settings()["REDIS_URL"]
        async with Queue(queue_name, url) as queue:
            added = await queue.add("task")
            async with Worker(queue_name, handler, url, lock_duration=LEASE, max_stalled=5):
                await handler.running(1)
                server.pause()
                try:
                    with caplog.at_level(logging.WARNING):
                        await until(lambda: bool(handler.cancelled), what="the cancellation")
                    assert handler.cancelled[0].id == added.id
                finally:
                    server.resume()
                # it may run again now, here or elsewhere
                handler.let_go.set()
                (job,) = await ended(queue, added.id)
            assert job.state == "completed"
            assert job.attempts_made == 1
            assert len(handler.started) == 2
        driver = Driver(url, queue_name)
        await driver.check(idle=True)
        await driver.close()


async def test_jobs_of_a_destroyed_group_run_again(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    handler = HeldHandler()
    names = [f"job-{number}" for number in range(6)]
    for name in names:
        await queue.add("task", job_id=name)
    async with Worker(queue_name, handler, redis_url, lock_duration=LEASE, concurrency=3):
        await handler.running(3)
        await driver.redis("XGROUP", "DESTROY", driver.keys.ready, "workers")
        await handler.running(6)
        assert sorted(job.id for job in handler.cancelled) == names[:3]
        handler.let_go.set()
        jobs = await ended(queue, *names)
    assert {job.state for job in jobs} == {JobState.COMPLETED}
    # no attempt was spent on what the operator did
    assert {job.attempts_made for job in jobs} == {1}


async def test_a_wiped_redis_cancels_what_ran_and_takes_new_jobs(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    handler = HeldHandler()
    await queue.add("task", job_id="lost")
    async with Worker(queue_name, handler, redis_url, lock_duration=LEASE):
        await handler.running(1)
        await driver.wipe()
        await until(lambda: bool(handler.cancelled), what="the cancellation")
        handler.let_go.set()
        added = [await queue.add("task") for _ in range(5)]
        jobs = await ended(queue, *(job.id for job in added))
    assert {job.state for job in jobs} == {JobState.COMPLETED}
    assert await queue.get_job("lost") is None


async def test_an_idle_worker_takes_jobs_that_are_added_after_a_wipe(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    handler = HeldHandler()
    handler.let_go.set()
    first = await queue.add("task")
    async with Worker(queue_name, handler, redis_url):
        await ended(queue, first.id)
        await driver.wipe()
        second = await queue.add("task")
        (job,) = await ended(queue, second.id)
    assert job.state == "completed"


async def test_jobs_told_to_a_worker_that_stood_still_are_asked_for_again(
    queue: Queue, redis_url: str, queue_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vqueue.ahead._STALE_SHARE", 0.0)  # any sleep is too long
    asked = 0
    handler = HeldHandler()
    handler.let_go.set()
    async with Worker(queue_name, handler, redis_url) as worker:
        adopt = worker._holdings._adopt

        async def counted(known: Sequence[bytes]) -> Taken:
            nonlocal asked
            asked += 1
            return await adopt(known)

        monkeypatch.setattr(worker._holdings, "_adopt", counted)
        await until(lambda: worker._wake_key.is_slept_on, what="the worker to sleep")
        added = await queue.add("task")
        (job,) = await ended(queue, added.id)
    assert asked > 0
    assert (len(handler.started), job.stalled_count) == (1, 0)
