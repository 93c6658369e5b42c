"""A queue's settings, and what it takes of Redis' memory."""

from importlib.metadata import version

import pytest

from tests.support.driver import LONG_MS, Driver, settle
from tests.support.waiting import until
from tests.support.workers import ended
from vqueue import (
    Deduplication,
    FlowJob,
    FlowProducer,
    InvalidOption,
    Job,
    JobOptions,
    JobState,
    MemoryReport,
    NewJob,
    Queue,
    QueueMeta,
    RateLimit,
    Repeat,
    Worker,
)


async def test_a_new_queue_has_no_settings(queue: Queue) -> None:
    assert await queue.get_meta() == QueueMeta(
        version=None,
        is_paused=False,
        concurrency=None,
        rate_limit=None,
        events_cap=10_000,
        events=0,
        longest_lease=None,
    )


async def test_settings_are_told_with_the_version_of_the_library(
    queue: Queue, driver: Driver
) -> None:
    await driver.scripts.open(lease_ms=LONG_MS)
    await driver.add("a")
    await queue.pause()
    await queue.set_global_concurrency(5)
    await queue.set_global_rate_limit(7, 2)
    await queue.set_events_cap(500)
    assert await queue.get_meta() == QueueMeta(
        version=version("vqueue"),
        is_paused=True,
        concurrency=5,
        rate_limit=RateLimit(max=7, duration=2.0),
        events_cap=500,
        events=3,
        longest_lease=60.0,
    )


async def test_fewer_events_are_kept_with_a_lower_cap(queue: Queue, driver: Driver) -> None:
    await driver.add("first")
    await queue.set_events_cap(100)
    for n in range(300):
        await driver.add(f"j{n}")
    assert 100 <= len(await driver.events()) <= 300
    with pytest.raises(InvalidOption, match="events_cap must be an integer of at least 100"):
        await queue.set_events_cap(99)


async def test_the_memory_report_counts_jobs_where_they_are(queue: Queue, driver: Driver) -> None:
    payload = b'"%b"' % (b"x" * 5000)
    await driver.add(*(f"w{n}" for n in range(100)), data=payload)
    await driver.finish(*(settle(job) for job in (await driver.take(20)).jobs))
    await driver.add("log", delay_ms=60_000)
    await queue.add_job_log("log", "y" * 20_000)
    report = await queue.memory_report()
    assert 80 * 5000 < report.jobs[JobState.WAITING] < 80 * 8000
    assert 20 * 5000 < report.jobs[JobState.COMPLETED] < 20 * 8000
    assert 20_000 < report.jobs[JobState.DELAYED] < 30_000
    assert report.jobs[JobState.FAILED] == 0
    assert {"meta", "ready", "completed", "delayed", "ev"} <= report.keys.keys()
    assert report.total_bytes == sum(report.keys.values()) + sum(report.jobs.values())
    assert report.total_bytes < report.used_bytes
    assert report.max_bytes is None or report.max_bytes > 0


async def test_the_memory_report_accounts_for_every_key(
    queue: Queue, driver: Driver, redis_url: str
) -> None:
    async def handler(job: Job) -> None:
        await job.log("line")
        await job.update_progress(50)
        await job.send_partial("half")

    await queue.upsert_job_scheduler("nightly", Repeat(every=3600), NewJob(name="task"))
    await queue.set_group_concurrency(1, "tenant")
    await queue.add("task", group="tenant")
    await queue.add("task", deduplication=Deduplication(id="once", ttl=60))
    await queue.add("task", delay=60, priority=1)
    await queue.add("task", job_id="kept", attempts=1)
    gone = await queue.add("task", remove_on_complete=True)
    child = FlowJob(queue_name=queue.name, name="child", options=JobOptions(delay=60))
    async with FlowProducer(redis_url) as flows:
        await flows.add(FlowJob(queue_name=queue.name, name="parent", children=[child]))
    async with Worker(queue.name, handler, redis_url):
        await queue.result(gone.id, timeout=15)
        await ended(queue, "kept")

        async def is_known() -> bool:
            return bool(await queue.get_workers())

        await until(is_known, what="the worker to say that it lives")
    await driver.add("waits")
    await driver.take_one()

    pattern = queue.keys.prefix + "*"
    reports: list[MemoryReport] = []

    async def is_quiet() -> bool:
        """Whether no key has expired or come while the report was made."""
        before = await driver.redis("KEYS", pattern)
        reports[:] = [await queue.memory_report()]
        return set(before) == set(await driver.redis("KEYS", pattern))

    await until(is_quiet, what="the queue to be quiet")
    (report,) = reports
    assert sum(report.key_counts.values()) == len(await driver.redis("KEYS", pattern))
    kinds = {"j:*", "gone:*", "part:*", "dd:*", "gs:*", "sched:*", "m:*", "sched", "ev"}
    assert kinds <= report.key_counts.keys()
    assert report.keys.keys() == report.key_counts.keys() - {"j:*"}
    assert all(report.keys.values())


async def test_the_memory_of_keys_of_a_kind_is_estimated_from_some_of_them(
    queue: Queue, driver: Driver
) -> None:
    for number in range(120):
        await driver.redis("SET", driver.keys.dedup_owner(str(number)), "x" * 1000, "PX", 60_000)
    report = await queue.memory_report()
    assert report.key_counts["dd:*"] == 120
    assert 120 * 1000 < report.keys["dd:*"] < 120 * 1500
    await driver.wipe()
