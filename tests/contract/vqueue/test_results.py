"""Waiting for results: no end is missed, whenever it comes, and nothing is asked twice."""

import asyncio

import pytest

from tests.support.driver import Driver, settle
from tests.support.relay import relay_to
from tests.support.waiting import until
from vqueue import (
    FlowJob,
    Job,
    JobFailed,
    JobNotFound,
    Queue,
    QueueUnavailable,
    UnrecoverableError,
    Worker,
)


async def test_a_result_comes_when_the_job_ends(queue: Queue, redis_url: str) -> None:
    async def handler(job: Job) -> int:
        if job.data < 0:
            raise UnrecoverableError("negative")
        return int(job.data) * 2

    async with Worker(queue.name, handler, redis_url, concurrency=10):
        jobs = [await queue.add("double", n) for n in range(20)]
        results = await asyncio.gather(*(job.result(timeout=15) for job in jobs))
        assert results == [2 * n for n in range(20)]
        found = await queue.get_job(jobs[3].id)
        assert found is not None
        assert await found.result() == await jobs[3].wait_until_finished(queue) == 6
        bad = await queue.add("double", -1)
        with pytest.raises(JobFailed, match="negative") as failed:
            await queue.result(bad.id, timeout=10)
        assert (failed.value.job_id, failed.value.reason) == (bad.id, "negative")


async def test_a_job_that_was_found_in_its_group_can_be_asked_for_its_result(
    queue: Queue, redis_url: str
) -> None:
    async def handler(job: Job) -> str:
        return f"result of {job.id}"

    await queue.add("task", job_id="a", group="g")
    (found,) = await queue.get_group_jobs("g")
    async with Worker(queue.name, handler, redis_url):
        assert await found.result(timeout=15) == "result of a"


async def test_the_jobs_of_a_flow_in_this_queue_can_be_asked_for_their_results(
    queue: Queue, redis_url: str
) -> None:
    async def handler(job: Job) -> str:
        return f"result of {job.name}"

    elsewhere = FlowJob(name="elsewhere", queue_name=f"{queue.name}-other")
    added = await queue.add_flow(FlowJob(name="parent", children=[FlowJob(name="child")]))
    other = await queue.add_flow(FlowJob(name="other", children=[elsewhere]))
    (late,) = await queue.add_children(f"{queue.name}:{other.job.id}", [FlowJob(name="late")])
    read = await queue.get_flow(added.job.id)
    assert read is not None
    async with Worker(queue.name, handler, redis_url):
        for node in (added.children[0], read.children[0]):
            assert await node.job.result(timeout=15) == "result of child"
        assert await added.job.result(timeout=15) == "result of parent"
        assert await late.job.result(timeout=15) == "result of late"
    with pytest.raises(RuntimeError, match="did not come from a Queue"):
        await other.children[0].job.result()
    await queue.remove(other.job.id)


async def test_a_job_of_no_queue_says_whom_to_ask_for_its_result() -> None:
    with pytest.raises(RuntimeError, match=r"await queue\.result\('a'\)"):
        await Job(id="a", name="task", data=None, queue_name="q").result()


async def test_a_result_is_found_after_retention_has_removed_the_job(
    driver: Driver, queue: Queue
) -> None:
    names = [f"j{n}" for n in range(150)]
    for name in names:  # an event entry of its own for each: more than one page
        await driver.add(name)
    taken = (await driver.take(150)).jobs
    for job in taken:
        await driver.finish(settle(job, value=b'"%b"' % job.id, rule="0 -1"))
    for job_id in ("j0", "j149"):
        assert await driver.state(job_id) is None
        assert await queue.result(job_id, timeout=10) == job_id


async def test_an_unknown_job_and_one_whose_event_is_gone_are_not_found(
    driver: Driver, queue: Queue
) -> None:
    with pytest.raises(JobNotFound):
        await queue.result("never", timeout=10)
    await driver.add("gone")
    await driver.finish(settle(await driver.take_one(), rule="0 -1"))
    await driver.redis("XTRIM", driver.keys.ev, "MAXLEN", 0)
    with pytest.raises(JobNotFound):
        await queue.result("gone", timeout=10)


async def test_a_retry_is_waited_through(driver: Driver, queue: Queue) -> None:
    await driver.add("a")
    waiter = asyncio.create_task(queue.result("a"))
    await _subscribed(driver, queue)
    await driver.finish(settle(await driver.take_one(), "waiting"))
    await driver.finish(settle(await driver.take_one(), value=b"2"))
    assert await waiter == 2


async def test_a_time_out_names_the_job_and_leaves_it_alone(driver: Driver, queue: Queue) -> None:
    await driver.add("slow")
    with pytest.raises(TimeoutError, match=r"slow has not ended within 0\.05 s"):
        await queue.result("slow", timeout=0.05)
    assert await driver.state("slow") == "waiting"
    waiters = [asyncio.create_task(queue.result("slow")) for _ in range(2)]
    waiters[0].cancel()
    await asyncio.wait(waiters[:1])
    await driver.finish(settle(await driver.take_one()))
    assert await waiters[1] == "done"


async def test_missing_events_make_it_look_again(driver: Driver, queue: Queue) -> None:
    await driver.add("a", "b")
    first, second = (await driver.take(2)).jobs
    waiter = asyncio.create_task(queue.result("a"))
    await _subscribed(driver, queue)
    # in one transaction, so that the reader cannot see the event before it is trimmed
    await driver.redis("MULTI")
    finishing = asyncio.create_task(driver.finish(settle(first)))
    await until(finishing.done, what="the finish to be queued")
    await driver.redis("XTRIM", driver.keys.ev, "MAXLEN", 0)
    await driver.redis("EXEC")
    with pytest.raises((TypeError, IndexError, ValueError)):
        await finishing  # QUEUED is not its reply
    assert not waiter.done()
    await driver.finish(settle(second))
    assert await asyncio.wait_for(waiter, 10) == "done"


async def test_a_lost_connection_is_waited_out(
    driver: Driver, redis_url: str, queue_name: str
) -> None:
    async with (
        relay_to(redis_url) as relay,
        Queue(queue_name, relay.url.replace("http", "redis")) as queue,
    ):
        await driver.add("a")
        waiter = asyncio.create_task(queue.result("a"))
        await _subscribed(driver, queue)
        relay.break_connections()
        await driver.finish(settle(await driver.take_one()))
        assert await asyncio.wait_for(waiter, 15) == "done"


async def test_closing_the_queue_cancels_those_who_wait(driver: Driver, queue: Queue) -> None:
    await driver.add("a")
    waiter = asyncio.create_task(queue.result("a"))
    await _subscribed(driver, queue)
    await queue.close()
    await asyncio.wait([waiter], timeout=10)
    assert waiter.cancelled()


async def _subscribed(driver: Driver, queue: Queue) -> None:
    """Wait until the reader of this queue's events blocks."""

    async def is_blocked() -> bool:
        clients = await driver.redis("CLIENT", "LIST")
        return any(b"cmd=xread " in line and b"flags=b" in line for line in clients.splitlines())

    await until(is_blocked, what="the reader of events")


async def test_a_server_that_is_away_is_told_by_the_error_of_this_library(redis_url: str) -> None:
    async with relay_to(redis_url) as relay:
        nobody = relay.url.replace("http", "redis")
    async with Queue("unheard", nobody, repeat_for=0.1) as queue:
        with pytest.raises(QueueUnavailable, match="result of job job"):
            await queue.result("job", timeout=10)
