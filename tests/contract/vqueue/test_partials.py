"""Partial results: read while the job runs and after it, to their end, and only from its holder."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from devstack import Valkey
from tests.support.driver import KEEP_ALL, KEEP_NONE, Driver, fsync_always, settle
from tests.support.flows import node
from tests.support.relay import relay_to
from tests.support.waiting import until
from vqueue import (
    Deduplication,
    Job,
    JobFailed,
    JobNotActive,
    JobNotFound,
    LeaseLost,
    PartialResult,
    PartialResults,
    Queue,
    UnrecoverableError,
    Worker,
)
from vqueue.record import TakenJob, fence_of


async def _all_of(queue: Queue, job_id: str) -> list[PartialResult]:
    async with queue.partial_results(job_id) as partials, asyncio.timeout(30):
        return [partial async for partial in partials]


async def _send(driver: Driver, job: TakenJob, number: int, *, consumer: str = "w1") -> list[int]:
    """Send a number as a partial result of an activation: [1] when it was accepted."""
    sent = (job.id.decode(), job.token, f"{fence_of(job.token)}-{number}", b"%d" % number)
    return await driver.scripts.partial(consumer=consumer, keep=9, results=[sent])


async def _forget_end(driver: Driver, job_id: str) -> None:
    """Let ten minutes pass since a job was removed: its id may be added again."""
    assert await driver.redis("DEL", driver.keys.tombstone(job_id)) == 1


async def _reads_partials(driver: Driver) -> bool:
    """Whether somebody waits in Redis for the partial results of a job of this queue."""
    clients = await driver.redis("CLIENT", "LIST")
    blocked = [
        line for line in clients.splitlines() if b"cmd=xread " in line and b"flags=b" in line
    ]
    return len(blocked) >= 2  # its reader, and that of the queue's events


async def test_partial_results_come_while_the_job_runs_and_end_with_it(
    queue: Queue, redis_url: str
) -> None:
    seen: asyncio.Queue[Any] = asyncio.Queue()

    async def handler(job: Job) -> str:
        for word in ("to", "be"):
            await job.send_partial(word)
            assert await asyncio.wait_for(seen.get(), 15) == word
        return "to be"

    job = await queue.add("write")
    values = []
    async with (
        Worker(queue.name, handler, redis_url),
        queue.partial_results(job.id) as partials,
        asyncio.timeout(30),
    ):
        async for partial in partials:
            values.append((partial.number, partial.value, partial.missed))
            seen.put_nowait(partial.value)
    assert values == [(1, "to", 0), (2, "be", 0)]
    assert await job.result(timeout=10) == "to be"


async def test_a_reader_that_comes_after_a_job_that_is_gone_gets_all(
    queue: Queue, redis_url: str
) -> None:
    async def handler(job: Job) -> None:
        await asyncio.gather(*(job.send_partial(number) for number in range(250)))

    job = await queue.add("count", remove_on_complete=True)
    async with Worker(queue.name, handler, redis_url):
        await job.result(timeout=15)
    assert await queue.get_job(job.id) is None
    assert [partial.value for partial in await _all_of(queue, job.id)] == list(range(250))


async def test_the_newest_are_kept_for_an_hour_and_a_reader_is_told_what_it_missed(
    queue: Queue, driver: Driver, redis_url: str
) -> None:
    async def handler(job: Job) -> None:
        for number in range(25):
            await job.send_partial(number)

    job = await queue.add("count")
    async with Worker(queue.name, handler, redis_url, keep_partials=10):
        await job.result(timeout=15)
    found = await _all_of(queue, job.id)
    assert [partial.value for partial in found] == list(range(15, 25))
    assert [partial.missed for partial in found] == [15] + [0] * 9
    assert 3_500_000 < await driver.redis("PTTL", driver.keys.partials(job.id)) <= 3_600_000


async def test_another_attempt_is_known_by_its_fence(queue: Queue, redis_url: str) -> None:
    fences = []

    async def handler(job: Job) -> None:
        fences.append(job.fence)
        await job.send_partial(job.attempts_made)
        if job.attempts_made == 0:
            raise ValueError("once more")

    job = await queue.add("task", attempts=2)
    async with Worker(queue.name, handler, redis_url):
        await job.result(timeout=15)
    found = await _all_of(queue, job.id)
    assert [(p.value, p.number, p.missed) for p in found] == [(0, 1, 0), (1, 1, 0)]
    assert [partial.fence for partial in found] == fences
    assert fences[0] < fences[1]


async def test_the_end_of_a_failed_job_is_raised_after_what_it_sent(
    queue: Queue, redis_url: str
) -> None:
    async def handler(job: Job) -> None:
        await job.send_partial("half")
        raise UnrecoverableError("no more")

    job = await queue.add("task")
    async with Worker(queue.name, handler, redis_url), queue.partial_results(job.id) as partials:
        following = aiter(partials)
        assert (await anext(following)).value == "half"
        with pytest.raises(JobFailed, match="no more"):
            await anext(following)


async def test_a_reader_that_leaves_and_comes_back_goes_on(queue: Queue, driver: Driver) -> None:
    await driver.add("a")
    taken = await driver.take_one()
    for number in (1, 2, 3):
        await _send(driver, taken, number)
    await driver.finish(settle(taken))
    async with queue.partial_results("a") as partials, asyncio.timeout(30):
        async for partial in partials:  # all three came together
            assert partial.value == 1
            break
        assert [(partial.value, partial.missed) async for partial in partials] == [(2, 0), (3, 0)]
        assert [partial async for partial in partials] == []


async def test_a_partial_result_is_taken_from_the_holder_only_and_once(
    queue: Queue, driver: Driver
) -> None:
    await driver.add("a")
    taken = await driver.take_one()

    async def send(consumer: str, number: int) -> list[int]:
        return await _send(driver, taken, number, consumer=consumer)

    assert await send("w2", 1) == [0]
    assert await driver.redis("EXISTS", driver.keys.partials("a")) == 0
    assert [await send("w1", number) for number in (1, 1, 2, 1)] == [[1]] * 4
    assert await driver.redis("XLEN", driver.keys.partials("a")) == 2
    await driver.finish(settle(taken))
    assert await send("w1", 3) == [0]
    assert [partial.number for partial in await _all_of(queue, "a")] == [1, 2]


async def test_a_handler_that_lost_its_job_sends_nothing(
    queue: Queue, driver: Driver, redis_url: str
) -> None:
    refused: list[LeaseLost] = []

    async def handler(job: Job) -> None:
        if job.stalled_count == 0:
            await driver.sweep(dead=str(job.consumer))
            with pytest.raises(LeaseLost) as lost:
                await job.send_partial("late")
            refused.append(lost.value)
        else:
            await job.send_partial("second")

    job = await queue.add("task")
    async with Worker(queue.name, handler, redis_url):
        assert [partial.value for partial in await _all_of(queue, job.id)] == ["second"]
    assert [error.job_id for error in refused] == [job.id]


async def test_a_lost_connection_is_waited_out(
    driver: Driver, redis_url: str, queue_name: str
) -> None:
    async with (
        relay_to(redis_url) as relay,
        Queue(queue_name, relay.url.replace("http", "redis")) as queue,
    ):
        await driver.add("a")
        taken = await driver.take_one()
        reading = asyncio.create_task(_all_of(queue, "a"))
        await until(lambda: _reads_partials(driver), what="the reader to wait")
        relay.break_connections()
        await _send(driver, taken, 1)
        await driver.finish(settle(taken))
        assert [partial.value for partial in await reading] == [1]


async def _send_and_end(driver: Driver, number: int) -> None:
    """Run job "a" to its end with one partial result; retention removes it."""
    taken = await driver.take_one()
    assert await _send(driver, taken, number) == [1]
    await driver.finish(settle(taken, rule=KEEP_NONE))
    await driver.pass_millisecond()


async def test_an_id_that_is_used_again_has_the_results_of_its_new_job_only(
    queue: Queue, driver: Driver
) -> None:
    await driver.add("a")
    await _send_and_end(driver, 1)
    await _forget_end(driver, "a")
    await driver.add("a")
    async with queue.partial_results("a") as partials, asyncio.timeout(30):
        following = aiter(partials)
        first = asyncio.ensure_future(anext(following))
        await until(lambda: _reads_partials(driver), what="the reader to wait")
        await _send_and_end(driver, 2)
        assert (await first).value == 2
        assert [partial.value async for partial in following] == []
    assert [partial.value for partial in await _all_of(queue, "a")] == [2]


async def test_a_job_of_a_used_id_that_sends_nothing_has_no_results(
    queue: Queue, driver: Driver
) -> None:
    await driver.add("a")
    await _send_and_end(driver, 1)
    await _forget_end(driver, "a")
    await driver.add("a")
    await driver.finish(settle(await driver.take_one()))
    assert await _all_of(queue, "a") == []


@pytest.mark.parametrize("way", ["end", "retention", "cancel", "child", "obliterate"])
async def test_a_job_of_a_used_id_that_sends_nothing_and_is_removed_has_no_results(
    queue: Queue, driver: Driver, way: str
) -> None:
    await driver.add("a")
    await _send_and_end(driver, 1)
    await _forget_end(driver, "a")
    if way == "obliterate":
        assert (await driver.scripts.obliterate(force=True)).obstacle == 0
    if way == "child":
        await queue.add_flow(node("a", node("child"), remove_on_fail=True))
    else:
        await queue.add("task", job_id="a", remove_on_fail=True)
    if way == "cancel":
        await queue.cancel("a")
    elif way == "child":
        await driver.finish(settle(await driver.take_one(), "failed"))
    else:
        rule = KEEP_ALL if way == "retention" else KEEP_NONE
        await driver.finish(settle(await driver.take_one(), rule=rule))
        if way == "retention":
            await driver.scripts.retain(completed="-1 0", failed=KEEP_ALL)
    assert await driver.state("a") is None
    values = []
    with suppress(JobFailed, JobNotFound):  # one that never ran is not remembered
        async with queue.partial_results("a") as partials, asyncio.timeout(30):
            values += [partial.value async for partial in partials]
    assert values == []
    assert await driver.redis("XLEN", driver.keys.partials("a")) == 0
    await queue.remove_orphaned_jobs()


async def test_a_delayed_job_that_a_newer_one_replaces_leaves_no_results_of_an_earlier_one(
    queue: Queue, driver: Driver
) -> None:
    await driver.add("a")
    await _send_and_end(driver, 1)
    await _forget_end(driver, "a")
    newest = Deduplication(id="d", replace=True)
    await queue.add("task", job_id="a", delay=3600, deduplication=newest)
    await queue.add("task", job_id="b", delay=3600, deduplication=newest)
    assert await driver.redis("EXISTS", driver.keys.partials("a")) == 0


async def test_results_that_outlive_the_memory_of_their_job_come_before_it_is_said_to_be_unknown(
    queue: Queue, driver: Driver
) -> None:
    await driver.add("a")
    await _send_and_end(driver, 1)
    await _forget_end(driver, "a")
    async with queue.partial_results("a") as partials:
        following = aiter(partials)
        assert (await anext(following)).value == 1
        with pytest.raises(JobNotFound):
            await anext(following)


async def test_a_reader_that_begins_or_goes_on_while_redis_is_away_waits(
    tmp_path: Path, queue_name: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def first_of(partials: PartialResults) -> Any:
        async for partial in partials:
            return partial.value

    async def waits_for_redis() -> bool:
        return any("gave no answer" in record.message for record in caplog.records)

    with Valkey(tmp_path) as server:
        url = server.settings()["REDIS_URL"]
        driver = Driver(url, queue_name)
        await fsync_always(url)
        await driver.add("a")
        taken = await driver.take_one()
        await _send(driver, taken, 1)
        await _send(driver, taken, 2)
        await driver.finish(settle(taken))
        async with (
            Queue(queue_name, url, repeat_for=0.1) as queue,
            queue.partial_results("a") as partials,
        ):
            for expected in (1, 2, None):
                await asyncio.to_thread(server.stop)
                caplog.clear()
                reading = asyncio.create_task(first_of(partials))
                await until(waits_for_redis, what="a call of the reader to fail")
                await asyncio.to_thread(server.start)
                assert await asyncio.wait_for(reading, 30) == expected
        await driver.close()


async def test_a_job_that_is_removed_takes_its_partial_results_along(
    queue: Queue, driver: Driver
) -> None:
    await driver.add("a")
    taken = await driver.take_one()
    await _send(driver, taken, 1)
    await driver.finish(settle(taken))
    await queue.remove("a")
    assert await driver.redis("EXISTS", driver.keys.partials("a")) == 0
    with pytest.raises(JobNotFound):
        await _all_of(queue, "a")


async def test_only_a_running_handler_sends_partial_results(queue: Queue) -> None:
    job = await queue.add("task")
    with pytest.raises(JobNotActive, match=job.id):
        await job.send_partial(1)
