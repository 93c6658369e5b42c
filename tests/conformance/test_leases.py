"""Behaviours 23 to 31: workers that die, stop, or are only slow."""

import signal

from tests.conformance.processes import worker_process
from tests.support.driver import Driver, expire, settle
from tests.support.waiting import until
from tests.support.workers import HeldHandler, ended
from vqueue import Job, JobOptions, JobState, NewJob, Queue, Repeat, Worker

#: Seconds.
LEASE = 0.6


async def _done(_: Job) -> str:
    return "second"


async def test_the_job_of_a_killed_worker_runs_again_within_its_lease_and_a_sweep(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    added = await queue.add("task")
    with worker_process(driver, lease=LEASE) as process:
        await process.tells(f"started {added.id}")
        process.kill()
    async with Worker(queue_name, _done, redis_url, lock_duration=LEASE):
        (job,) = await ended(queue, added.id)
    assert (job.state, job.returnvalue) == ("completed", "second")
    assert (job.stalled_count, job.attempts_made, job.attempts_started) == (1, 1, 2)
    history = await driver.history(added.id)
    assert history == ["added", "waiting", "active", "stalled", "waiting", "active", "completed"]


async def test_a_job_that_stalls_above_the_limit_fails_by_its_own_retention(
    queue: Queue, driver: Driver
) -> None:
    kept = await queue.add("task")
    removed = await queue.add("task", remove_on_fail=True)
    for stalls in (1, 2):
        assert len((await driver.take(2, consumer="dead")).jobs) == 2
        back, failed, _ = await driver.sweep(max_stalled=1, dead="dead")
        assert (back, failed) == ((2, 0) if stalls == 1 else (0, 2))
    job = await queue.get_job(kept.id)
    assert job is not None
    assert (job.state, job.failed_reason) == ("failed", "job stalled more than allowable limit")
    assert job.stalled_count == 2
    assert await queue.get_job(removed.id) is None
    for job_id in (kept.id, removed.id):
        assert (await driver.history(job_id))[-2:] == ["stalled", "failed"]


async def test_a_worker_that_was_stopped_beyond_its_lease_has_no_say_any_more(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    added = await queue.add("task")
    with worker_process(driver, lease=LEASE) as process:
        await process.tells(f"started {added.id}")
        process.signal(signal.SIGSTOP)
        try:
            async with Worker(queue_name, _done, redis_url, lock_duration=LEASE):
                await ended(queue, added.id)
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


async def test_an_iteration_of_a_scheduler_survives_a_stall_and_makes_no_other(
    queue: Queue, driver: Driver
) -> None:
    await queue.upsert_job_scheduler("report", Repeat(every=3600), NewJob(name="report"))
    first = await driver.take_one(consumer="dead")
    await expire(driver, first.token)
    assert (await driver.sweep())[0] == 1
    again = await driver.take_one()
    assert again.id == first.id
    await driver.finish(settle(again))
    counts = await queue.get_job_counts()
    # the next one is the scheduler's: it is made when its time has come
    assert counts.pop(JobState.COMPLETED) == 1
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


async def test_the_template_of_a_scheduler_limits_the_stalls_of_its_jobs(
    queue: Queue, driver: Driver
) -> None:
    template = NewJob(name="report", options=JobOptions(max_stalled=1))
    await queue.upsert_job_scheduler("report", Repeat(every=3600), template)
    for back, failed in ((1, 0), (0, 1)):
        await driver.take_one(consumer="dead")
        assert (await driver.sweep(max_stalled=5, dead="dead"))[:2] == (back, failed)


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
        handler.let_go.set()
        (job,) = await ended(queue, added.id)
    assert (job.state, job.stalled_count, len(handler.started)) == ("completed", 0, 1)
