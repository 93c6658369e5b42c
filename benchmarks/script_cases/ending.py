"""Cases of the scripts that end jobs, or take them from workers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from benchmarks.script_cases.bench import Bench, case
from tests.support.driver import expire, settle
from tests.support.flows import node
from vqueue import JobOptions, NewJob, Repeat
from vqueue.codec import encode
from vqueue.edit_scripts import Resets
from vqueue.scripts import MAX_BATCH, MAX_HELD_BATCH

#: Stalled jobs of one sweep.
_SWEPT = 100
_NO_RESETS = Resets(made=False, started=False)


@case("finish", "100 jobs, and takes 100")
async def _finish(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.add(2 * MAX_HELD_BATCH)
    taken = await bench.take(MAX_HELD_BATCH)
    yield
    await bench.finish(taken, want=MAX_HELD_BATCH)


@case("finish", "100 jobs, removes 250 old ones, and takes 100")
async def _finish_and_evict(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.end(1500)
    await bench.add(2 * MAX_HELD_BATCH, first=5000)
    taken = await bench.take(MAX_HELD_BATCH)
    yield
    await bench.finish(taken, rule="10 0", want=MAX_HELD_BATCH)


@case("finish", "100 jobs that are tried again, and takes 100 with a priority")
async def _finish_for_now(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.add(2 * MAX_HELD_BATCH, place="7")
    taken = await bench.take(MAX_HELD_BATCH)
    yield
    await bench.driver.finish(*(settle(job, "waiting") for job in taken), want=MAX_HELD_BATCH)


@case("finish", "100 jobs with dead letters")
async def _bury(bench: Bench) -> AsyncGenerator[None, None]:
    options = JobOptions(dead_letter="letters")
    await bench.queue.add_bulk([NewJob(name="x", options=options)] * MAX_HELD_BATCH)
    taken = await bench.take(MAX_HELD_BATCH)
    yield
    await bench.driver.finish(*(settle(job, "failed", rule="-1 -1 +!") for job in taken))


@case("finish", "100 jobs with as many deduplication ids")
async def _finish_unique(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.add_unique(MAX_HELD_BATCH)
    taken = await bench.take(MAX_HELD_BATCH)
    yield
    await bench.finish(taken, rule="-1 -1 *")


@case("finish", "100 jobs of as many groups, and takes 100")
async def _finish_grouped(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.add_grouped(2 * MAX_HELD_BATCH)
    taken = await bench.take(MAX_HELD_BATCH)
    yield
    await bench.finish(taken, want=MAX_HELD_BATCH)


@case("sweep", "100 jobs of a worker that died, of 200")
async def _sweep(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.scripts.open(lease_ms=60_000)
    await bench.add(_SWEPT)
    await bench.add(_SWEPT, first=_SWEPT, place="7")
    await bench.take(2 * _SWEPT, consumer="dead")
    yield
    await bench.driver.sweep(dead="dead")


@case("sweep", "100 jobs of as many workers of 250, which name 50 jobs each")
async def _sweep_of_many(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.scripts.open(lease_ms=60_000)
    named = [[f"{number:032x}", f"1795600000000-{number}", 1795600000000] for number in range(50)]
    said = {"loop_lag": 3, "max_loop_lag": None, "host": "h", "pid": 7, "lock_duration": 60_000}
    for number in range(MAX_BATCH):
        info = encode({**said, "running": named}, "words")
        await bench.scripts.present(consumer=f"w{number}", info=info)
    await bench.add(_SWEPT)
    taken = [await bench.driver.take_one(consumer=f"w{number}") for number in range(_SWEPT)]
    for job in taken:
        await expire(bench.driver, job.token)
    yield
    await bench.driver.sweep()


@case("sweep", "1000 jobs that run, of 2000")
async def _sweep_live(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.scripts.open(lease_ms=60_000)
    await bench.add(2000)
    await bench.take(2000)
    yield
    await bench.driver.sweep()


@case("release", "100 jobs")
async def _release(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.add(100)
    jobs = await bench.take(100)
    yield
    held = [(job.id.decode(), job.token) for job in jobs]
    await bench.scripts.release(consumer="w1", jobs=held)


@case("retry", "100 jobs")
async def _retry(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.end(MAX_BATCH, "failed")
    yield
    await bench.scripts.retry(resets=_NO_RESETS, state="failed", most=100)


@case("repair", "100 lost jobs of each lane")
async def _repair(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.add(MAX_BATCH)
    await bench.add(MAX_BATCH, first=MAX_BATCH, place="7")
    await bench.take(2 * MAX_BATCH)
    for lane in (bench.driver.keys.ready, bench.driver.keys.express):
        await bench.driver.redis("XGROUP", "DELCONSUMER", lane, "workers", "w1")
    yield
    await bench.scripts.repair()


@case("finish", "100 jobs, with all that may come together, and takes 100")
async def _finish_at_the_worst(bench: Bench) -> AsyncGenerator[None, None]:
    """Retention, parents, dead letters, delayed jobs and slots that are due: each in full."""
    for number in range(50):
        repeat = Repeat(every=0.5, missed="all")
        await bench.queue.upsert_job_scheduler(f"s{number}", repeat, NewJob(name="x"))
    await bench.take(50, consumer="other")
    await bench.end(1500, "failed")
    await bench.add_parents(MAX_HELD_BATCH, node("child", dead_letter="letters"))
    buried = NewJob(name="x", options=JobOptions(dead_letter="letters"))
    await bench.queue.add_bulk([buried] * (MAX_HELD_BATCH - 1))
    taken = await bench.take(MAX_HELD_BATCH)
    await bench.add(2 * MAX_HELD_BATCH, first=5000)
    await bench.add(MAX_BATCH, first=6000, delay_ms=1)
    await asyncio.sleep(0.6)
    yield
    await bench.driver.finish(
        *(settle(job, "failed", rule="10 0 +!") for job in taken), want=MAX_HELD_BATCH
    )
