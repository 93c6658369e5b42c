"""Global concurrency and rate limits: never exceeded, and nobody waits longer than needed."""

import pytest

from tests.support.driver import Driver, ids, settle
from tests.support.waiting import until
from tests.support.workers import HeldHandler, ended
from vqueue import InvalidOption, Queue, RateLimit, Worker


async def test_no_more_jobs_are_active_than_the_queue_allows(queue: Queue, driver: Driver) -> None:
    await queue.set_global_concurrency(3)
    await driver.add(*"abcdef")
    first = (await driver.take(2)).jobs
    second = (await driver.take(9, consumer="w2")).jobs
    assert [len(first), len(second)] == [2, 1]
    assert (await driver.take(9, consumer="w3")).jobs == []
    # a finish takes as many as it has freed
    reply = await driver.finish(settle(first[0]), want=9)
    assert len(reply.taken.jobs) == 1
    assert (await queue.get_job_counts())["active"] == 3


async def test_jobs_of_every_lane_count(queue: Queue, driver: Driver) -> None:
    await queue.set_global_concurrency(2)
    await driver.add("front", place="lifo")
    await driver.add("plain")
    await driver.add("urgent", place="1")
    assert ids(await driver.take(9)) == ["front", "plain"]
    assert (await driver.take(9)).jobs == []


async def test_slots_freed_by_a_failed_stall_wake_a_worker(queue: Queue, driver: Driver) -> None:
    await queue.set_global_concurrency(1)
    await driver.add("a", "b")
    await driver.take(1, consumer="dead")
    await driver.redis("DEL", driver.keys.wake)
    await driver.sweep(dead="dead", max_stalled=0)
    assert await driver.state("a") == "failed"
    assert await driver.redis("ZRANGE", driver.keys.wake, 0, -1) == [b"0"]


async def test_a_slot_freed_by_a_worker_that_takes_no_more_wakes_another(
    queue: Queue, driver: Driver
) -> None:
    await queue.set_global_concurrency(1)
    await driver.add("a", "b")
    job = await driver.take_one()
    await driver.redis("DEL", driver.keys.wake)
    await driver.finish(settle(job), want=0)
    assert await driver.redis("ZRANGE", driver.keys.wake, 0, -1) == [b"0"]


async def test_a_changed_concurrency_holds_at_once(queue: Queue, driver: Driver) -> None:
    await driver.add(*"abcdef")
    assert await queue.get_global_concurrency() is None
    await queue.set_global_concurrency(1)
    assert await queue.get_global_concurrency() == 1
    assert ids(await driver.take(9)) == ["a"]
    await queue.set_global_concurrency(3)
    assert ids(await driver.take(9)) == ["b", "c"]
    await queue.set_global_concurrency(2)
    assert ids(await driver.take(9)) == []
    await queue.remove_global_concurrency()
    assert ids(await driver.take(9)) == ["d", "e", "f"]
    assert await driver.redis("HGET", driver.keys.meta, "gate") is None


async def test_a_window_lets_in_as_many_jobs_as_the_limit(queue: Queue, driver: Driver) -> None:
    await queue.set_global_rate_limit(3, 60)
    await driver.add(*"abcdef")
    assert await queue.get_rate_limit_ttl() == 0
    first = await driver.take(2)
    assert ids(first) == ["a", "b"]
    reply = await driver.finish(*map(settle, first.jobs), want=5)
    assert [job.id for job in reply.taken.jobs] == [b"c"]
    refused = await driver.take(5, consumer="w2")
    assert refused.jobs == []
    assert 50_000 < refused.due_ms <= 60_000
    assert 50 < await queue.get_rate_limit_ttl() <= 60
    await queue.remove_rate_limit_key()
    assert ids(await driver.take(2)) == ["d", "e"]


async def test_a_rate_limit_is_kept_and_forgotten(queue: Queue, driver: Driver) -> None:
    assert await queue.get_global_rate_limit() is None
    await queue.set_global_rate_limit(3, 0.5)
    assert await queue.get_global_rate_limit() == RateLimit(max=3, duration=0.5)
    await queue.remove_global_rate_limit()
    assert await queue.get_global_rate_limit() is None
    assert await driver.redis("HGET", driver.keys.meta, "gate") is None


async def test_the_limit_of_the_queue_comes_before_that_of_a_worker(
    queue: Queue, driver: Driver
) -> None:
    await driver.add(*"abcdef")
    await queue.set_global_rate_limit(2, 60)
    taken = await driver.scripts.take(consumer="w1", want=9, lease_ms=1000, limiter=(4, 60_000))
    assert ids(taken) == ["a", "b"]
    await queue.remove_global_rate_limit()
    taken = await driver.scripts.take(consumer="w1", want=9, lease_ms=1000, limiter=(4, 60_000))
    assert ids(taken) == ["c", "d"]
    assert 50 < await queue.get_rate_limit_ttl(max_jobs=4) <= 60


async def test_a_manual_limit_stops_every_worker_until_it_is_over(
    queue: Queue, driver: Driver
) -> None:
    await driver.add("a", "b")
    await queue.rate_limit(60)
    await queue.rate_limit(1)  # never shortens
    assert (await driver.take(2)).jobs == []
    assert (await driver.take(2, consumer="w2")).jobs == []
    assert 50 < await queue.get_rate_limit_ttl() <= 60
    await queue.remove_rate_limit_key()
    assert await queue.get_rate_limit_ttl() == 0
    await queue.rate_limit(0.001)
    await driver.take_when_due()
    assert await driver.redis("HGET", driver.keys.meta, "gate") is None


async def test_a_limited_worker_takes_up_work_when_the_window_opens(
    queue: Queue, redis_url: str, queue_name: str
) -> None:
    handler = HeldHandler()
    handler.let_go.set()
    await queue.rate_limit(0.2)
    added = await queue.add("task")
    async with Worker(queue_name, handler, redis_url) as worker:
        await until(lambda: worker._wake_key.is_slept_on, what="the worker to sleep")
        assert handler.started == []
        (job,) = await ended(queue, added.id)
    assert job.attempts_started == 1


@pytest.mark.parametrize(
    ("max_jobs", "duration", "named"),
    [(0, 1, "max of a rate limit"), (1, 0, "duration of a rate limit"), (1, -1, "duration")],
)
def test_limits_that_are_none_are_refused(max_jobs: int, duration: float, named: str) -> None:
    with pytest.raises(InvalidOption, match=named):
        RateLimit(max=max_jobs, duration=duration)


async def test_queue_limits_that_are_none_are_refused(queue: Queue) -> None:
    with pytest.raises(InvalidOption, match="global concurrency"):
        await queue.set_global_concurrency(0)
    with pytest.raises(InvalidOption, match="remove_rate_limit_key"):
        await queue.rate_limit(0)
