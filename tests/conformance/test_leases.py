"""Behaviours 23 to 31: workers that die, stop, or are only slow."""

import signal

import pytest

from tests.conformance.processes import worker_process
from tests.support.driver import Driver, expire, settle
from tests.support.flows import node
from tests.support.waiting import until
from tests.support.workers import HeldHandler, ended
from vqueue import Job, JobOptions, JobState, NewJob, Queue, Repeat, Worker
from vqueue.record import Snapshot, TakenJob

#: Seconds.
LEASE = 0.6


async def _done(_: Job) -> str:
    return "second"


async def test_a_job_of_ten_leases_stays_with_one_worker_and_runs_once(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    handler = HeldHandler()
    added = await queue.add("task")
    async with (
        Worker(queue_name, handler, redis_url, lock_duration=0.3),
        Worker(queue_name, handler, redis_url, lock_duration=0.3),
    ):
        await handler.running(1)
        over_ms = await driver.now_ms() + 10 * 300
        await until(lambda: _is_past(driver, over_ms), what="ten leases to pass")
        handler.let_go.set()
        (job,) = await ended(queue, added.id)
    assert (job.state, job.stalled_count, len(handler.started)) == ("completed", 0, 1)
    assert await driver.history(added.id) == ["added", "waiting", "active", "completed"]


async def _is_past(driver: Driver, ms: int) -> bool:
    return await driver.now_ms() > ms


async def test_the_job_of_a_killed_worker_runs_again_within_its_lease_and_a_sweep(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    added = await queue.add("task")
    with worker_process(driver, lease=LEASE) as process:
        await process.tells(f"started {added.id}")
        async with Worker(queue_name, _done, redis_url, lock_duration=LEASE):
            process.kill()
            ((_, _, idle_ms, _),) = await driver.redis(
                "XPENDING", driver.keys.ready, "workers", "-", "+", 1
            )
            renewed_ms = await driver.now_ms() - idle_ms
            (job,) = await ended(queue, added.id)
    assert (job.state, job.returnvalue) == ("completed", "second")
    assert (job.stalled_count, job.attempts_made, job.attempts_started) == (1, 1, 2)
    told = [event for event in await driver.events() if event.job_id == added.id]
    assert [event.name for event in told] == [
        *("added", "waiting", "active", "stalled", "waiting", "active", "completed")
    ]
    # sweeps come four times in a lease; two seconds are for a machine that is busy
    waited = told[5].timestamp - renewed_ms / 1000
    assert LEASE <= waited <= 1.5 * LEASE + 2


async def test_a_job_that_stalls_above_the_limit_fails_by_its_own_retention_and_with_its_parent(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    kept = await queue.add("task")
    removed = await queue.add("task", remove_on_fail=True)
    await queue.add_flow(node("parent", node("child")))
    stalling = (kept.id, removed.id, "child")
    for _ in range(2):
        with worker_process(driver, lease=LEASE, concurrency=3) as process:
            for job_id in stalling:
                await process.tells(f"started {job_id}")
            await driver.redis("DEL", f"probe:{queue_name}")
            await queue.pause()
            process.kill()
        # a paused queue fails them, too, though nobody takes them any more
        async with Worker(queue_name, _done, redis_url, lock_duration=LEASE, max_stalled=1):
            await until(lambda: _none_is_active(queue), what="the sweep")
        await queue.resume()
    job, child, parent = [await queue.get_job(job_id) for job_id in (kept.id, "child", "parent")]
    assert job is not None
    assert (job.state, job.failed_reason) == ("failed", "job stalled more than allowable limit")
    assert job.stalled_count == 2
    assert await queue.get_job(removed.id) is None
    assert child is not None
    assert parent is not None
    assert (child.state, parent.state) == ("failed", "failed")
    assert parent.failed_reason == f"child {queue_name}:child failed"
    for job_id in stalling:
        history = await driver.history(job_id)
        assert history[-2:] == ["stalled", "failed"]
        assert history.count("stalled") == 2


async def _none_is_active(queue: Queue) -> bool:
    return (await queue.get_job_counts())[JobState.ACTIVE] == 0


async def test_a_worker_that_was_stopped_beyond_its_lease_has_no_say_any_more(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    added = await queue.add("task")
    with worker_process(driver, lease=LEASE) as process:
        await process.tells(f"started {added.id}")
        process.signal(signal.SIGSTOP)
        try:
            held = await driver.snapshot(added.id)
            assert held is not None
            async with Worker(queue_name, _done, redis_url, lock_duration=LEASE):
                await ended(queue, added.id)
            await _is_refused_everything(driver, added.id, held)
        finally:
            process.signal(signal.SIGCONT)
        await process.tells("late log")
        told = await process.told()
    assert told == [f"started {added.id}", f"cancelled {added.id}", "late progress", "late log"]
    job = await queue.get_job(added.id)
    assert job is not None
    assert (job.state, job.returnvalue, job.attempts_made) == ("completed", "second", 1)
    assert job.progress is None
    assert await queue.get_job_logs(added.id) == []
    assert (await driver.history(added.id)).count("completed") == 1


async def _is_refused_everything(driver: Driver, job_id: str, held: Snapshot) -> None:
    token, _, _ = held.record.partition(b"\n")
    job = TakenJob(job_id.encode(), token, held.record)
    for outcome in ("completed", "failed", "waiting", "delayed"):
        late = settle(job, outcome, rule="1000", consumer=held.consumer)
        assert (await driver.finish(late, consumer=held.consumer)).statuses == [0]
    beat = await driver.scripts.heartbeat(
        consumer=held.consumer, lease_ms=60_000, tokens=[job.token]
    )
    assert beat.lost == [job.token]


async def test_a_late_heartbeat_does_not_take_the_lease_back(queue: Queue, driver: Driver) -> None:
    await queue.add("task")
    first = await driver.take_one(consumer="first")
    await driver.sweep(dead="first")
    second = await driver.take_one(consumer="second")
    beats = [
        await driver.scripts.heartbeat(consumer="first", lease_ms=60_000, tokens=[first.token])
        for _ in range(3)
    ]
    assert [beat.lost for beat in beats] == [[first.token]] * 3
    assert (await driver.finish(settle(first, consumer="first"), consumer="first")).statuses == [0]
    late, held = settle(second, consumer="second"), "second"
    assert (await driver.finish(late, consumer=held)).statuses == [1]


async def test_each_job_is_judged_by_the_lease_of_its_own_worker(
    queue: Queue, redis_url: str, queue_name: str, driver: Driver
) -> None:
    long_holder = HeldHandler()
    await queue.add("task", job_id="long")
    async with Worker(queue_name, long_holder, redis_url, lock_duration=60):
        await long_holder.running(1)
        await queue.add("task", job_id="short")
        await driver.take_one(consumer="dead", lease_ms=400)
        async with Worker(queue_name, _done, redis_url, lock_duration=0.4):
            (job,) = await ended(queue, "short")
            assert (job.stalled_count, job.returnvalue) == (1, "second")
        long_job = await queue.get_job("long")
        assert long_job is not None
        assert (long_job.state, long_job.stalled_count) == ("active", 0)
        long_holder.let_go.set()
        await ended(queue, "long")


@pytest.mark.parametrize("survived", [0, 3])
async def test_a_job_of_a_scheduler_survives_the_stalls_that_its_template_allows(
    queue: Queue, driver: Driver, survived: int
) -> None:
    template = NewJob(name="report", options=JobOptions(max_stalled=survived))
    before = await queue.upsert_job_scheduler("report", Repeat(every=3600), template)
    assert before.job_id is not None
    for stalls in range(survived + 1):
        job = await driver.take_one(consumer="dead")
        assert job.id.decode() == before.job_id
        await expire(driver, job.token)
        assert (await driver.sweep())[:2] == ((1, 0) if stalls < survived else (0, 1))
    assert await driver.state(before.job_id) == "failed"
    # neither the stalls nor the end have made another, and the next one comes in its time
    after = await queue.get_job_scheduler("report")
    assert after is not None
    assert (after.iteration_count, after.next_run) == (1, before.next_run)
    counts = await queue.get_job_counts()
    assert counts.pop(JobState.FAILED) == 1
    assert set(counts.values()) == {0}


async def test_an_iteration_of_a_scheduler_stalls_without_limit_while_that_exists(
    queue: Queue, driver: Driver
) -> None:
    await queue.upsert_job_scheduler("report", Repeat(every=3600), NewJob(name="report"))
    await driver.add("plain")
    for back, failed in ((2, 0), (1, 1), (1, 0)):
        await driver.take(2, consumer="dead")
        assert (await driver.sweep(max_stalled=1, dead="dead"))[:2] == (back, failed)
    job = await driver.take_one(consumer="dead")
    await queue.remove_job_scheduler("report")
    assert (await driver.sweep(max_stalled=1, dead="dead"))[:2] == (0, 1)
    assert await driver.state(job.id.decode()) == "failed"


async def test_a_healthy_job_survives_the_loss_of_every_connection(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    handler = HeldHandler()
    added = await queue.add("task")

    async def connections() -> set[bytes]:
        clients = await driver.redis("CLIENT", "LIST", "TYPE", "normal")
        return {line.split()[0] for line in clients.splitlines()}

    async with Worker(queue_name, handler, redis_url, lock_duration=LEASE):
        await handler.running(1)
        before = await connections()
        await driver.redis("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

        async def worker_is_back() -> bool:
            assert (await driver.sweep())[:2] == (0, 0)
            return len(await connections() - before) >= 2

        await until(worker_is_back, what="connections of the worker and of its leases")
        over_ms = await driver.now_ms() + round(3000 * LEASE)

        async def outlives_its_leases() -> bool:
            assert (await driver.sweep())[:2] == (0, 0)
            return await _is_past(driver, over_ms)

        await until(outlives_its_leases, what="three leases to pass")
        assert handler.cancelled == []
        handler.let_go.set()
        (job,) = await ended(queue, added.id)
    assert (job.state, job.stalled_count, len(handler.started)) == ("completed", 0, 1)
