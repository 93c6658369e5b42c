"""Worker: lost replies, restarted servers, work shared by many; every job is done once."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from devstack import Valkey
from tests.support.driver import Driver, fsync_always
from tests.support.lossy import lossy_redis
from tests.support.waiting import until
from tests.support.workers import HeldHandler, ended
from vqueue import Job, JobOptions, JobState, NewJob, Queue, Worker
from vqueue.script_calls import load_script


async def add_jobs(queue: Queue, count: int) -> list[str]:
    """Add jobs; return their ids."""
    jobs = await queue.add_bulk(
        NewJob(name="task", data=number, options=JobOptions(attempts=2)) for number in range(count)
    )
    return [job.id for job in jobs]


class Counting:
    """A handler that counts how often each job was run."""

    def __init__(self) -> None:
        self.runs: Counter[str] = Counter()

    async def __call__(self, job: Job) -> int:
        """Give other jobs a turn, as a handler that does something does."""
        self.runs[job.id] += 1
        await asyncio.sleep(0)
        return int(job.data)


async def test_two_workers_share_jobs_and_none_is_done_twice(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    first, second = Counting(), Counting()
    names = await add_jobs(queue, 500)
    async with (
        Worker(queue_name, first, redis_url, concurrency=10),
        Worker(queue_name, second, redis_url, concurrency=10),
    ):
        names += await add_jobs(queue, 500)
        jobs = await ended(queue, *names)

    assert first.runs + second.runs == dict.fromkeys(names, 1)
    assert min(first.runs.total(), second.runs.total()) > 50
    assert {job.state for job in jobs} == {JobState.COMPLETED}
    assert [job.returnvalue for job in jobs] == [*range(500), *range(500)]


async def test_jobs_of_a_lost_take_reply_are_run_once(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    handler = Counting()
    await driver.redis("SCRIPT", "LOAD", load_script("take").text)
    names = await add_jobs(queue, 5)
    async with lossy_redis(redis_url) as relay:
        relay.lose_reply_to(load_script("take").sha)
        async with Worker(queue_name, handler, relay.url, concurrency=10):
            async with asyncio.timeout(20):
                await relay.reply_lost.wait()
            jobs = await ended(queue, *names)
    assert handler.runs == dict.fromkeys(names, 1)
    assert {(job.state.value, job.stalled_count) for job in jobs} == {("completed", 0)}


async def test_a_result_of_a_lost_finish_reply_counts_once(
    queue: Queue,
    driver: Driver,
    redis_url: str,
    queue_name: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    handler = HeldHandler()
    await driver.redis("SCRIPT", "LOAD", load_script("finish").text)
    names = await add_jobs(queue, 2)
    async with lossy_redis(redis_url) as relay, Worker(queue_name, handler, relay.url):
        await handler.running(1)
        relay.lose_reply_to(load_script("finish").sha)
        handler.let_go.set()
        async with asyncio.timeout(20):
            await relay.reply_lost.wait()
        await ended(queue, *names)
    # the finish that was lost had taken the second job: it was adopted, not stalled
    assert [job.id for job in handler.started] == names
    for name in names:
        assert await driver.history(name) == ["added", "waiting", "active", "completed"]
    assert "lease is lost" not in caplog.text


async def test_a_reply_lost_while_closing_leaves_no_job_behind(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    await driver.redis("SCRIPT", "LOAD", load_script("take").text)
    names = await add_jobs(queue, 3)
    async with lossy_redis(redis_url) as relay:
        relay.lose_reply_to(load_script("take").sha)
        worker = Worker(queue_name, Counting(), relay.url, concurrency=10)
        running = asyncio.create_task(worker.run())
        async with asyncio.timeout(20):
            await relay.reply_lost.wait()
        await worker.close(0)
        await running
    states = [await driver.state(name) for name in names]
    assert "active" not in states


async def test_a_lost_take_reply_is_found_among_many_running_jobs(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    handler = HeldHandler()
    await driver.redis("SCRIPT", "LOAD", load_script("take").text)
    names = await add_jobs(queue, 600)
    async with (
        lossy_redis(redis_url) as relay,
        Worker(queue_name, handler, relay.url, concurrency=700),
    ):
        await handler.running(600)
        relay.lose_reply_to(load_script("take").sha)
        async with asyncio.timeout(20):
            await relay.is_sent.wait()  # it waits behind the worker's sleep
        names += await add_jobs(queue, 10)
        await handler.running(610)
        assert relay.reply_lost.is_set()
        handler.let_go.set()
        jobs = await ended(queue, *names)
    assert {(job.state.value, job.stalled_count) for job in jobs} == {("completed", 0)}
    assert len(handler.started) == 610


async def test_the_last_progress_arrives_with_a_finish_that_is_sent_again(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    let_go = asyncio.Event()

    async def handler(job: Job) -> None:
        await job.update_progress(10)
        await let_go.wait()
        await job.update_progress(99)

    job = await queue.add("task")
    async with lossy_redis(redis_url) as relay, Worker(queue_name, handler, relay.url):

        async def first_progress_is_there() -> bool:
            found = await queue.get_job(job.id)
            return found is not None and found.progress == 10

        await until(first_progress_is_there, what="the first progress")
        relay.refuse(load_script("finish").sha)
        let_go.set()
        async with asyncio.timeout(20):
            await relay.reply_lost.wait()
        (done,) = await ended(queue, job.id)
    assert done.progress == 99


async def test_every_connection_cut_in_mid_run_changes_nothing(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    handler = Counting()
    names = await add_jobs(queue, 300)
    async with Worker(queue_name, handler, redis_url, concurrency=5):
        for done in (50, 100, 150, 200, 250):
            await until(lambda done=done: handler.runs.total() >= done, what=f"{done} runs")  # type: ignore[misc]
            await driver.redis("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        jobs = await ended(queue, *names)
    assert handler.runs == dict.fromkeys(names, 1)
    assert {job.state for job in jobs} == {JobState.COMPLETED}


async def test_a_redis_killed_and_restarted_in_mid_run_loses_and_doubles_nothing(
    tmp_path: Path, queue_name: str
) -> None:
    handler = Counting()
    with Valkey(tmp_path) as server:
        url = server.settings()["REDIS_URL"]
        await fsync_always(url)
        async with Queue(queue_name, url) as queue:
            names = await add_jobs(queue, 400)
            async with (
                Worker(queue_name, handler, url, concurrency=5),
                Worker(queue_name, handler, url, concurrency=5),
            ):
                await until(lambda: handler.runs.total() >= 100, what="100 runs")
                await asyncio.to_thread(server.kill)
                await asyncio.to_thread(server.start)
                names += await add_jobs(queue, 100)
                jobs = await ended(queue, *names)
        assert handler.runs == dict.fromkeys(names, 1)
        assert {job.state for job in jobs} == {JobState.COMPLETED}
        assert {job.attempts_made for job in jobs} == {1}
        driver = Driver(url, queue_name)
        await driver.check(idle=True)
        await driver.close()


async def test_an_idle_worker_sends_at_most_two_commands_a_second(
    redis_url: str, queue_name: str
) -> None:
    loop = asyncio.get_running_loop()
    async with lossy_redis(redis_url) as relay, Worker(queue_name, Counting(), relay.url):

        async def sleeps(count: int) -> None:
            await until(
                lambda: relay.commands.count(b"BZPOPMIN") >= count,
                what=f"the worker to fall asleep {count} times",
            )

        await sleeps(1)
        before, since = len(relay.commands), loop.time()
        await sleeps(5)
        sent, seconds = len(relay.commands) - before, loop.time() - since
    assert sent <= 2 * seconds


async def test_an_idle_worker_is_woken_by_an_add(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    handler = HeldHandler()
    async with lossy_redis(redis_url) as relay, Worker(queue_name, handler, relay.url):
        await until(lambda: b"BZPOPMIN" in relay.commands, what="the worker to sleep")
        slept = relay.commands.count(b"BZPOPMIN")
        added = await queue.add("task")
        await handler.running(1)
        # its sleep was ended: it did not come across the job after the next one
        assert relay.commands.count(b"BZPOPMIN") == slept
        handler.let_go.set()
        await ended(queue, added.id)


async def test_a_close_with_a_timeout_does_not_wait_for_a_redis_that_is_away(
    tmp_path: Path, queue_name: str, caplog: pytest.LogCaptureFixture
) -> None:
    handler = HeldHandler()
    with Valkey(tmp_path) as server:
        url = server.settings()["REDIS_URL"]
        await fsync_always(url)
        async with Queue(queue_name, url) as queue:
            (name,) = await add_jobs(queue, 1)
            # the lease outlives the test: nothing but the close ends the wait
            worker = Worker(queue_name, handler, url, lock_duration=600)
            worker._scripts._repeat_for = 0.2  # the hand-back's patience, 10 s otherwise
            running = asyncio.create_task(worker.run())
            await handler.running(1)
            await asyncio.to_thread(server.kill)
            handler.let_go.set()
            await until(lambda: "ended jobs wait for Redis" in caplog.text, what="the outage")
            async with asyncio.timeout(20):
                await worker.close(timeout=0.05)
                await running
            assert "1 results are lost" in caplog.text
            await asyncio.to_thread(server.start)
            # nobody knows of the result, so the job is run again once its lease is over
            assert await queue.recover_crashed(worker.consumer) == (1, 0)
            job = await queue.get_job(name)
            assert job is not None
            assert (job.state, job.attempts_made) == ("waiting", 0)


@pytest.mark.parametrize("is_busy", [False, True], ids=["idle", "job ends in its sleep"])
async def test_a_sleeping_worker_needs_no_further_call_to_take_a_job(
    queue: Queue,
    driver: Driver,
    redis_url: str,
    queue_name: str,
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_busy: bool,
) -> None:
    held = HeldHandler()
    needed_a_call: list[bool] = []

    async def handler(job: Job) -> None:
        needed_a_call.append(relay.reply_lost.is_set())
        await held(job)

    async def sleeps_in_redis() -> bool:
        # a wake-up that is still there would end the sleep, and a take of its own follow
        clients = (await driver.redis("CLIENT", "LIST")).splitlines()
        is_blocked = any(b"cmd=bzpopmin" in line and b"flags=b" in line for line in clients)
        return is_blocked and not await driver.redis("EXISTS", driver.keys.wake)

    def is_followed() -> bool:
        _, slept, behind = relay.received.rpartition(b"BZPOPMIN")
        return bool(slept) and take in behind

    # no sleep ends by itself meanwhile, nor after a quarter of the lease
    monkeypatch.setattr("vqueue.wake.IDLE_BLOCK", 60.0)
    monkeypatch.setattr("vqueue.fetching.IDLE_BLOCK", 60.0)
    take = load_script("take").sha.encode()
    async with (
        lossy_redis(redis_url) as relay,
        Worker(queue_name, handler, relay.url, concurrency=2, lock_duration=600),
    ):
        if is_busy:
            await queue.add("task")
            await held.running(1)
            await until(sleeps_in_redis, what="the worker to sleep")
        held.let_go.set()
        await until(is_followed, what="a take to wait in Redis behind the sleep")
        relay.refuse(take.decode())
        added = await queue.add("task")
        await ended(queue, added.id)
    assert needed_a_call == [False] * (1 + is_busy)


async def test_a_job_is_found_that_redis_handed_to_a_sleep_whose_end_it_had_not_heard_of(
    queue: Queue, redis_url: str, queue_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vqueue.ahead._AFTERMATH", 1.0)
    handler = HeldHandler()
    async with (
        lossy_redis(redis_url) as relay,
        Worker(queue_name, handler, relay.url) as worker,
    ):
        await until(lambda: worker._holdings.ahead.is_sent, what="a take behind the sleep")
        relay.tells_of_ends.clear()
        worker._fetcher.rouse()
        await until(lambda: worker._holdings._hand_outs.is_to_look_again, what="the sleep to end")
        added = await queue.add("task")  # wakes the first one that fell asleep
        await handler.running(1)
        relay.tells_of_ends.set()
        handler.let_go.set()
        (job,) = await ended(queue, added.id)
    assert (job.state, job.stalled_count, len(handler.started)) == ("completed", 0, 1)


async def test_the_take_behind_a_sleep_brings_two_jobs_at_most(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    # a worker that stands still, or has vanished, would be handed no more
    handler = HeldHandler()
    async with Worker(queue_name, handler, redis_url, concurrency=50) as worker:
        await until(lambda: worker._holdings.ahead.is_sent, what="a take behind the sleep")
        await add_jobs(queue, 10)
        await handler.running(10)
        handler.let_go.set()
    events = await driver.redis("XRANGE", queue.keys.ev, "-", "+")
    handed = [len(fields[4:]) // 2 for _, fields in events if fields[1] == b"active"]
    assert (handed[0] <= 2, sum(handed)) == (True, 10)


async def test_a_lost_job_is_run_though_the_concurrency_was_lowered(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    handler = HeldHandler()
    await driver.redis("SCRIPT", "LOAD", load_script("take").text)
    names = await add_jobs(queue, 1)
    async with (
        lossy_redis(redis_url) as relay,
        Worker(queue_name, handler, relay.url, concurrency=2) as worker,
    ):
        await handler.running(1)
        await until(lambda: worker._wake_key.is_slept_on, what="the worker to sleep")
        relay.lose_reply_to(load_script("take").sha)
        names += await add_jobs(queue, 1)
        async with asyncio.timeout(20):
            await relay.reply_lost.wait()
        worker.concurrency = 1
        await handler.running(2)
        handler.let_go.set()
        jobs = await ended(queue, *names)
    assert [job.stalled_count for job in jobs] == [0, 0]


async def test_a_closing_worker_hands_a_lost_job_back_while_others_run(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    handler = HeldHandler()
    await driver.redis("SCRIPT", "LOAD", load_script("take").text)
    await add_jobs(queue, 1)
    async with (
        lossy_redis(redis_url) as relay,
        Worker(queue_name, handler, relay.url, concurrency=2) as worker,
    ):
        await handler.running(1)
        await until(lambda: worker._wake_key.is_slept_on, what="the worker to sleep")
        relay.lose_reply_to(load_script("take").sha)
        lost = await queue.add("lost")
        async with asyncio.timeout(20):
            await relay.reply_lost.wait()
        closing = asyncio.create_task(worker.close())

        async def is_back() -> bool:
            return await driver.state(lost.id) == "waiting"

        await until(is_back, what="the lost job to wait again")
        assert len(handler.started) == 1
        handler.let_go.set()
        await closing


async def test_a_pause_waits_for_a_job_whose_reply_was_lost(
    queue: Queue, driver: Driver, redis_url: str, queue_name: str
) -> None:
    handler = HeldHandler()
    await driver.redis("SCRIPT", "LOAD", load_script("take").text)
    async with lossy_redis(redis_url) as relay:
        relay.lose_reply_to(load_script("take").sha)
        added = await queue.add("task")
        async with Worker(queue_name, handler, relay.url) as worker:
            async with asyncio.timeout(20):
                await relay.reply_lost.wait()
            pausing = asyncio.create_task(worker.pause())
            await handler.running(1)
            assert not pausing.done()
            handler.let_go.set()
            await pausing
            await ended(queue, added.id)
