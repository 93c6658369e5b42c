"""Cases of the scripts that hand out jobs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from benchmarks.script_cases.bench import Bench, case
from vqueue import Group, JobOptions, NewJob, Repeat
from vqueue.scripts import MAX_BATCH, MAX_HELD_BATCH

#: Held jobs of a worker whose reply was lost.
_HELD = 1000


@case("take", "100 jobs")
async def _take(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.add(MAX_BATCH)
    yield
    await bench.driver.take(MAX_HELD_BATCH)


@case("take", "100 jobs with a priority")
async def _take_prioritized(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.add(MAX_BATCH, place="7")
    yield
    await bench.driver.take(MAX_HELD_BATCH)


@case("take", "100 jobs with a priority, of which 60 come due")
async def _take_due(bench: Bench) -> AsyncGenerator[None, None]:
    jobs = [NewJob(name="x", options=JobOptions(delay=0.001, priority=7))] * MAX_BATCH
    await bench.queue.add_bulk(jobs)
    await asyncio.sleep(0.01)
    yield
    await bench.driver.take(MAX_HELD_BATCH)


@case("take", "100 jobs of as many groups")
async def _take_grouped(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.add_grouped(MAX_BATCH)
    yield
    await bench.driver.take(MAX_HELD_BATCH)


@case("take", "100 jobs, of which 60 of as many groups come due")
async def _take_grouped_due(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.queue.add_bulk(
        [
            NewJob(name="x", options=JobOptions(delay=0.001, group=Group(id=f"g{number}")))
            for number in range(MAX_BATCH)
        ]
    )
    await asyncio.sleep(0.01)
    yield
    await bench.driver.take(MAX_HELD_BATCH)


@case("take", "50 jobs of as many schedulers")
async def _take_scheduled(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.add(1)
    taken = await bench.take(1)
    for number in range(50):
        await bench.queue.upsert_job_scheduler(f"s{number}", Repeat(every=0.5), NewJob(name="x"))
    await bench.finish(taken, want=MAX_HELD_BATCH)
    await asyncio.sleep(0.6)
    yield
    await bench.driver.take(MAX_HELD_BATCH)


@case("adopt", "250 jobs of 1250 that are held")
async def _adopt(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.add(_HELD + MAX_BATCH)
    known = [job.token for job in await bench.take(_HELD)]
    await bench.take(MAX_BATCH)
    yield
    await bench.scripts.adopt(consumer="w1", lease_ms=60_000, known=known)
