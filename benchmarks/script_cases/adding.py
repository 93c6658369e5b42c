"""Cases of the scripts that add jobs."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from benchmarks.script_cases.bench import Bench, case
from vqueue import NewJob, Repeat
from vqueue.scripts import MAX_BATCH

#: Jobs of a call in which some have a group.
_GROUPED = 100


@case("add", "250 jobs")
async def _add(bench: Bench) -> AsyncGenerator[None, None]:
    yield
    await bench.add(MAX_BATCH)


@case("add", "250 delayed jobs")
async def _add_delayed(bench: Bench) -> AsyncGenerator[None, None]:
    yield
    await bench.add(MAX_BATCH, delay_ms=60_000)


@case("add", "250 jobs with a priority")
async def _add_prioritized(bench: Bench) -> AsyncGenerator[None, None]:
    yield
    await bench.add(MAX_BATCH, place="7")


@case("add", "100 jobs of as many groups")
async def _add_grouped(bench: Bench) -> AsyncGenerator[None, None]:
    yield
    await bench.add_grouped(_GROUPED)


@case("add", "100 jobs with as many deduplication ids")
async def _add_unique(bench: Bench) -> AsyncGenerator[None, None]:
    yield
    await bench.add_unique(_GROUPED)


@case("promote", "100 jobs")
async def _promote(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.add(MAX_BATCH, delay_ms=60_000)
    yield
    await bench.scripts.promote(most=100)


@case("sched_put", "a pattern that fires each second")
async def _put_scheduler(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.queue.upsert_job_scheduler("s", Repeat(pattern="* * * * * *"), NewJob(name="x"))
    yield
    await bench.queue.upsert_job_scheduler("s", Repeat(pattern="*/2 * * * * *"), NewJob(name="x"))


@case("sched_refill", "300 slots")
async def _refill_scheduler(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.queue.upsert_job_scheduler("s", Repeat(pattern="* * * * *"), NewJob(name="x"))
    tail = await bench.driver.redis("HGET", bench.driver.keys.scheduler("s"), "tail")
    slots = [int(tail) + 1000 * number for number in range(1, 301)]
    yield
    await bench.scripts.sched_refill(scheduler_id="s", tail=tail, slots_ms=slots, is_final=False)
