"""Metrics: every end is counted once, times are sampled, and Prometheus can read it all."""

import re

import pytest

from tests.support.driver import Driver, expire, settle
from vqueue import InvalidOption, Job, Queue, Worker
from vqueue.latency import Latency, bucket_of


async def end_three(driver: Driver) -> None:
    """Two jobs complete in one call, one fails."""
    await driver.add("a", "b", "c")
    a, b, c = (await driver.take(3)).jobs
    await driver.finish(settle(a), settle(b), settle(c, "failed", value=b'"no"'))


async def test_ends_are_counted_in_their_minute(driver: Driver, queue: Queue) -> None:
    await end_three(driver)
    before = await driver.now_ms() // 60_000
    completed = await queue.get_metrics("completed")
    assert completed.count == 2
    assert len(completed.data) == 1440
    # the minute may have changed since
    assert sum(completed.data[:2]) == 2
    assert completed.newest_minute / 60 - before in (0, 1)
    failed = await queue.get_metrics("failed", start=0, end=1)
    assert (failed.count, len(failed.data), sum(failed.data)) == (1, 2, 1)
    assert (await queue.get_metrics("failed", start=2, end=4)).data == [0, 0, 0]
    with pytest.raises(InvalidOption, match="completed, failed"):
        await queue.get_metrics("waiting")


async def test_a_stall_that_fails_a_job_is_counted(driver: Driver, queue: Queue) -> None:
    await driver.add("a")
    job = await driver.take_one()
    await expire(driver, job.token)
    assert await driver.sweep(max_stalled=0) == (0, 1, False)
    assert (await queue.get_metrics("failed")).count == 1
    assert (await queue.get_metrics("stalled")).count == 1


async def test_what_the_fence_rejects_is_counted(driver: Driver, queue: Queue) -> None:
    await driver.add("a")
    late = await driver.take_one()
    await expire(driver, late.token)
    await driver.sweep()
    assert (await driver.finish(settle(late))).statuses == [0]
    assert (await queue.get_metrics("rejected")).count == 1
    job_id = late.id.decode()
    await driver.scripts.progress(consumer="w1", jobs=[(job_id, late.token, b"1")])
    line = (job_id, late.token, 1, "late")
    await driver.scripts.log(consumer="w1", keep=10, lines=[line, line])
    assert (await queue.get_metrics("rejected")).count == 4
    assert (await queue.get_metrics("completed")).count == 0
    assert "vqueue_jobs_rejected_total{" in await queue.to_prometheus()


async def test_a_repeat_of_a_finish_is_not_counted_again(driver: Driver, queue: Queue) -> None:
    await driver.add("a")
    end = settle(await driver.take_one())
    assert (await driver.finish(end)).statuses == [1]
    assert (await driver.finish(end)).statuses == [2]
    assert (await queue.get_metrics("completed")).count == 1


async def test_minutes_older_than_a_day_are_summed_up(driver: Driver, queue: Queue) -> None:
    key = driver.keys.metrics("completed")
    newest = await driver.now_ms() // 60_000
    old = [f"{newest - age}" for age in range(2, 2002)]
    for start in range(0, 2000, 500):
        await driver.redis("HSET", key, *(v for m in old[start : start + 500] for v in (m, 1)))
    await driver.redis("HSET", key, "before", 7)
    await driver.add("a")
    await driver.finish(settle(await driver.take_one()))
    assert await driver.redis("HLEN", key) <= 1441
    assert (await queue.get_metrics("completed")).count == 2000 + 7 + 1
    await driver.redis("DEL", key, driver.keys.ev)  # made up: no events tell of them
    await driver.redis("HDEL", driver.keys.meta, "n")


async def test_workers_sample_how_long_jobs_wait_and_run(queue: Queue, redis_url: str) -> None:
    async def handler(job: Job) -> None:
        return None

    async with Worker(queue.name, handler, redis_url, concurrency=4):
        for n in range(20):
            await queue.result((await queue.add("task", n)).id, timeout=10)
        await queue.result((await queue.add("task", priority=3)).id, timeout=10)
    latencies = await queue.get_latencies()
    for latency in (latencies.waiting, latencies.running):
        assert 1 <= latency.count <= 21
        median = latency.percentile(50)
        assert median is not None
        assert median <= (latency.percentile(99) or 0)


async def test_what_waits_long_is_seen(driver: Driver, queue: Queue) -> None:
    await driver.add("a")
    await driver.scripts.latencies(counts={f"w{bucket_of(8)}": 98, f"w{bucket_of(64)}": 2})
    await driver.scripts.latencies(counts={f"w{bucket_of(8)}": 1})
    waiting = (await queue.get_latencies()).waiting
    assert waiting.count == 101
    assert waiting.percentile(50) == pytest.approx(8, rel=0.05)
    assert waiting.percentile(99) == pytest.approx(64, rel=0.05)
    assert (await queue.get_latencies()).running.percentile(50) is None


@pytest.mark.parametrize("seconds", [0.0001, 0.0123, 1.0, 7.7, 86400.0])
def test_a_bucket_is_right_within_five_percent(seconds: float) -> None:
    latency = Latency(buckets={bucket_of(seconds): 1})
    assert latency.percentile(99) == pytest.approx(seconds, rel=0.05)


async def test_prometheus_can_read_it(driver: Driver, queue: Queue) -> None:
    await end_three(driver)
    await driver.add("d")
    await driver.scripts.latencies(counts={f"r{bucket_of(2)}": 3})
    text = await queue.to_prometheus({"region": 'a "b"\\\n'})
    for line in text.splitlines():
        assert re.fullmatch(
            r"# (HELP|TYPE) [a-z_]+ .+|[a-z_]+\{([a-z]+=\"([^\"\\]|\\.)*\",?)+\} [0-9.e+-]+", line
        ), line
    own = rf'queue="{queue.name}",region="a \"b\"\\\n"'.replace("\n", r"\n")
    assert f'vqueue_jobs{{{own},state="waiting"}} 1\n' in text
    assert f"vqueue_jobs_completed_total{{{own}}} 2\n" in text
    assert f"vqueue_jobs_failed_total{{{own}}} 1\n" in text
    assert f'vqueue_job_running_seconds{{{own},quantile="0.99"}} 2\n' in text
    assert "vqueue_job_waiting_seconds{" not in text
