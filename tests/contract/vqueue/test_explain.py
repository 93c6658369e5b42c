"""Queue.explain and Queue.examine: why a job is not running, and whether Redis is fit."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from devstack import Valkey
from tests.support.driver import LONG_MS, Driver, expire, settle
from tests.support.monitoring import commands_of_scripts
from tests.support.waiting import until
from tests.support.workers import HeldHandler, ended
from vqueue import (
    FlowJob,
    FlowProducer,
    Hindrance,
    Job,
    JobNotFound,
    Queue,
    RateLimit,
    Verdict,
    Worker,
)
from vqueue.presence import Presence


async def greet(driver: Driver, name: str) -> None:
    """Let a worker say that it is there."""
    presence = Presence(
        name,
        lease_ms=LONG_MS,
        concurrency=lambda: 1,
        running=lambda: [],
        is_paused=lambda: False,
    )
    await presence.say(driver.scripts, asyncio.get_running_loop())


@pytest.fixture
async def busy_worker(queue: Queue, redis_url: str, queue_name: str) -> AsyncIterator[Worker]:
    """A worker with its one slot taken by the job "running"."""
    handler = HeldHandler()
    await queue.add("task", job_id="running")
    async with Worker(queue_name, handler, redis_url) as worker:
        await handler.running(1)

        async def is_heard_of() -> bool:
            return [one.consumer for one in await queue.get_workers()] == [worker.consumer]

        await until(is_heard_of, what="the worker to say that it is there")
        yield worker
        handler.let_go.set()
        await ended(queue, "running")


async def test_a_job_without_any_worker_is_explained_by_that(queue: Queue) -> None:
    await queue.add("task", job_id="lonely")
    found = await queue.explain("lonely")
    assert found.hindrance is Hindrance.NO_WORKER
    assert found.sentence == "job lonely waits: no worker is alive (none was seen in the last hour)"


async def test_a_running_job_is_explained_by_its_worker_and_lease(
    queue: Queue, busy_worker: Worker
) -> None:
    found = await queue.explain("running")
    assert (found.hindrance, found.consumer) == (Hindrance.RUNNING, busy_worker.consumer)
    assert found.lease_left is not None
    assert 0 < found.lease_left <= 30


async def test_a_job_whose_lease_ran_out_is_explained_by_that(queue: Queue, driver: Driver) -> None:
    await queue.add("task", job_id="stalled")
    await driver.scripts.open(lease_ms=60_000)
    await expire(driver, (await driver.take_one(consumer="dead")).token)
    found = await queue.explain("stalled")
    assert found.hindrance is Hindrance.RUNNING
    assert "taken by worker dead, whose lease ran out" in found.sentence


async def test_waiting_jobs_are_explained_by_those_in_front(
    queue: Queue, busy_worker: Worker
) -> None:
    for name, options in {
        "urgent": {"priority": 1},
        "late": {"priority": 2},
        "first": {},
        "second": {},
        "newest": {"lifo": True},
    }.items():
        await queue.add("task", job_id=name, **options)
    line = [(await queue.explain(name)).in_front for name in ("newest", "first", "second")]
    assert line == [0, 1, 2]
    assert [(await queue.explain(name)).in_front for name in ("urgent", "late")] == [3, 4]
    assert (await queue.explain("late")).hindrance is Hindrance.IN_LINE
    assert (await queue.explain("newest")).hindrance is Hindrance.NEXT
    assert (await queue.explain("late")).workers == [busy_worker.consumer]
    for name in ("newest", "first", "second", "urgent", "late"):
        await queue.remove(name)


async def test_a_delayed_job_is_explained_by_its_time(queue: Queue) -> None:
    await queue.add("task", job_id="tomorrow", delay=86_400)
    found = await queue.explain("tomorrow")
    assert found.hindrance is Hindrance.DELAYED
    assert found.until is not None
    assert 86_390 < found.until - found.now <= 86_400


@pytest.mark.parametrize("outcome", ["completed", "failed"])
async def test_a_finished_job_is_explained_by_its_end(
    queue: Queue, driver: Driver, outcome: str
) -> None:
    await queue.add("task", job_id="over")
    await driver.finish(settle(await driver.take_one(), outcome))
    found = await queue.explain("over")
    assert found.hindrance is Hindrance.FINISHED
    assert found.sentence.startswith(f"job over {outcome} at 20")


async def test_waiting_jobs_are_explained_by_what_holds_the_queue_back(
    queue: Queue, busy_worker: Worker
) -> None:
    await queue.add("task", job_id="next")

    async def why() -> Hindrance:
        return (await queue.explain("next")).hindrance

    assert await why() is Hindrance.NEXT
    await queue.set_global_rate_limit(5, 60)
    assert await why() is Hindrance.NEXT
    await queue.set_global_concurrency(1)
    assert await why() is Hindrance.CONCURRENCY
    await queue.rate_limit(60)
    assert await why() is Hindrance.HELD_BACK
    await queue.pause()
    assert await why() is Hindrance.PAUSED
    await queue.remove("next")
    await queue.resume()
    await queue.remove_rate_limit_key()
    await queue.remove_global_concurrency()


async def test_a_job_beyond_the_rate_limit_is_explained_by_it(queue: Queue, driver: Driver) -> None:
    await queue.set_global_rate_limit(1, 60)
    await driver.add("first", "second")
    await driver.take(2)
    found = await queue.explain("second")
    assert found.hindrance is Hindrance.RATE_LIMITED
    assert found.until is not None
    assert 0 < found.until - found.now <= 60


async def test_a_job_beyond_the_limiters_of_all_workers_is_explained_by_them(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    async def handler(_: Job) -> None:
        return

    limiter = RateLimit(max=1, duration=600)
    async with Worker(queue_name, handler, redis_url, limiter=limiter):
        await queue.add("task", job_id="first")
        await ended(queue, "first")
        await queue.add("task", job_id="second")

        async def is_limited() -> bool:
            return (await queue.explain("second")).hindrance is Hindrance.RATE_LIMITED

        await until(is_limited, what="the worker to tell its limiter")
        found = await queue.explain("second")
        assert found.sentence.startswith(
            "job second waits: 1 jobs have started in this window, which is the limiter of all 1 "
        )
        assert found.until is not None
        assert 0 < found.until - found.now <= 600
        # one without a limiter may take what the others leave
        await greet(driver, "free")
        assert (await queue.explain("second")).hindrance is Hindrance.NEXT
    await queue.remove("second")


async def test_a_parent_is_explained_by_its_children(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    child = FlowJob(queue_name=queue_name, name="child")
    parent = FlowJob(queue_name=queue_name, name="parent", children=[child])
    async with FlowProducer(redis_url) as flows:
        node = await flows.add(parent)
    assert (await queue.explain(node.job.id)).hindrance is Hindrance.CHILDREN


async def test_a_job_in_a_group_is_explained_by_what_holds_its_group_back(
    queue: Queue, busy_worker: Worker
) -> None:
    for name in ("first", "second"):
        await queue.add("task", job_id=name, group="tenant")

    async def why(name: str) -> tuple[Hindrance, int]:
        found = await queue.explain(name)
        return found.hindrance, found.in_front

    assert await why("first") == (Hindrance.NEXT, 0)
    assert await why("second") == (Hindrance.IN_LINE, 1)
    await queue.rate_limit_group("tenant", 60)
    assert await why("first") == (Hindrance.GROUP, 0)
    assert "rate limit of its group tenant" in (await queue.explain("first")).sentence
    await queue.pause_group("tenant")
    assert "its group tenant is paused" in (await queue.explain("first")).sentence
    for name in ("first", "second"):
        await queue.remove(name)


async def test_a_group_at_its_concurrency_explains_its_jobs(queue: Queue, driver: Driver) -> None:
    await queue.set_group_concurrency(1, "tenant")
    for name in ("first", "second"):
        await queue.add("task", job_id=name, group="tenant")
    await driver.take_one()
    found = await queue.explain("second")
    assert found.sentence == (
        "job second waits: 1 jobs of its group tenant run, which is its concurrency"
    )


async def test_an_unknown_job_cannot_be_explained(queue: Queue) -> None:
    with pytest.raises(JobNotFound):
        await queue.explain("nobody")


async def test_a_server_as_it_should_be_has_no_problem(queue: Queue, driver: Driver) -> None:
    await queue.add("task")
    findings = {finding.check: finding for finding in await queue.examine()}
    assert {"version", "eviction", "persistence", "memory", "clock", "scripts"} <= findings.keys()
    assert [f for f in findings.values() if f.verdict is Verdict.PROBLEM] == []


async def test_a_server_that_evicts_and_forgets_has_problems(
    tmp_path: Path, queue_name: str
) -> None:
    with Valkey(tmp_path) as server:
        url = server.settings()["REDIS_URL"]
        driver = Driver(url, queue_name)
        await driver.redis("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        await driver.redis("CONFIG", "SET", "appendonly", "no")
        await driver.add("a-job")
        await driver.redis("HSET", driver.keys.live("nobody"), "g", "1")
        await driver.redis("XGROUP", "DESTROY", driver.keys.ready, "workers")
        async with Queue(queue_name, url) as queue:
            findings = {finding.check: finding for finding in await queue.examine()}
        await driver.close()
    assert findings["eviction"].verdict is Verdict.PROBLEM
    assert findings["persistence"].verdict is Verdict.PROBLEM
    assert findings["orphans"].verdict is Verdict.WARNING
    assert findings["groups"].verdict is Verdict.WARNING
    assert findings["groups"].found.startswith(f"{driver.keys.ready} without the group")


async def test_a_worker_that_is_silent_for_long_is_not_counted_on(
    queue: Queue, driver: Driver
) -> None:
    for name in ("old", "older"):
        await greet(driver, name)
    await queue.add("task", job_id="probe")
    assert (await queue.explain("probe")).workers == ["old", "older"]
    for name, seconds in {"old": 60, "older": 600}.items():
        last_word = await driver.now_ms() - 1000 * seconds
        await driver.redis("ZADD", driver.keys.prefix + "wks", last_word, name)
    found = await queue.explain("probe")
    assert (found.hindrance, found.workers) == (Hindrance.NO_WORKER, [])
    assert found.sentence.startswith("job probe waits: no worker is alive (last sign of life 60.")


async def test_no_list_of_consumers_is_read_to_explain_a_job(queue: Queue, driver: Driver) -> None:
    await queue.add("task", job_id="probe")
    commands = await commands_of_scripts(driver, lambda: queue.explain("probe"))
    assert commands
    assert [command for command in commands if command.startswith("XINFO CONSUMERS")] == []
