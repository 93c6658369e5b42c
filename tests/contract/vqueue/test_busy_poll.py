"""`busy_poll`: the reply to a lone call is looked for, and everything else goes on as before."""

import asyncio

import pytest

from vqueue import Job, Queue, Worker
from vqueue.busy_polling import BusyPoll
from vqueue.connection import open_client


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[BusyPoll]:
    """Every wait, as it begins."""
    seen: list[BusyPoll] = []
    wait = BusyPoll.wait

    def noted(self: BusyPoll) -> None:
        seen.append(self)
        wait(self)

    monkeypatch.setattr(BusyPoll, "wait", noted)
    return seen


async def test_a_lone_call_is_looked_for(redis_url: str, waits: list[BusyPoll]) -> None:
    client = open_client(redis_url, busy_poll=0.001)
    for expected in (1, 2, 3):
        assert await client.execute("PING") == b"PONG"
        assert len(waits) == expected
    await client.aclose()


async def test_calls_in_company_are_not(redis_url: str, waits: list[BusyPoll]) -> None:
    client = open_client(redis_url, busy_poll=0.001)
    await client.execute("PING")
    waits.clear()
    assert await asyncio.gather(*(client.execute("ECHO", n) for n in "abc")) == [b"a", b"b", b"c"]
    assert waits == []
    await client.aclose()


async def test_what_is_ready_goes_before_the_wait(redis_url: str, waits: list[BusyPoll]) -> None:
    client = open_client(redis_url, busy_poll=0.001)
    await client.execute("PING")
    waits.clear()
    waits_before: list[int] = []
    call = asyncio.create_task(client.execute("PING"))
    asyncio.get_running_loop().call_soon(lambda: waits_before.append(len(waits)))
    assert await call == b"PONG"
    assert (waits_before, len(waits)) == ([0], 1)
    await client.aclose()


async def test_nothing_is_looked_for_unless_asked(redis_url: str, waits: list[BusyPoll]) -> None:
    async with Queue("video-transcode", redis_url) as queue:
        await queue.ping()
    assert waits == []


async def test_a_queue_and_a_worker_take_it(
    redis_url: str, queue_name: str, waits: list[BusyPoll]
) -> None:
    async def double(job: Job) -> int:
        return int(job.data) * 2

    async with Queue(queue_name, redis_url, busy_poll=0.001) as queue:
        jobs = [await queue.add("double", number) for number in range(20)]
        adds = len(waits)
        assert adds >= len(jobs)
        async with Worker(queue_name, double, redis_url, busy_poll=0.001):
            assert [await job.result(timeout=10) for job in jobs] == [2 * n for n in range(20)]
        assert len({id(poll) for poll in waits}) == 2
