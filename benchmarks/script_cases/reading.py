"""Cases of the scripts that only read; pages are in benchmarks/script_times.py, too."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from benchmarks.script_cases.bench import Bench, case
from vqueue.scripts import MAX_BATCH

#: Workers of which as many are told, or looked at.
_WORKERS = 250


async def _add_workers(bench: Bench) -> None:
    """Let workers say that they are there, and take a job each."""
    await bench.add(_WORKERS)
    for number in range(_WORKERS):
        await bench.driver.take(1, consumer=f"w{number}")
        await bench.scripts.present(consumer=f"w{number}", info=b'{"running":[]}')


@case("snapshot", "250 jobs that are held")
async def _snapshot(bench: Bench) -> AsyncGenerator[None, None]:
    ids = await bench.add(MAX_BATCH)
    await bench.take(MAX_BATCH)
    yield
    await bench.scripts.snapshot(ids=ids)


@case("page", "250 jobs of as many groups")
async def _page_of_groups(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.add_grouped(2 * MAX_BATCH)
    yield
    await bench.scripts.page(state="waiting", cursor="", limit=MAX_BATCH, is_rising=True)


@case("explain", "the last of 10,000 jobs, among 250 workers")
async def _explain(bench: Bench) -> AsyncGenerator[None, None]:
    await _add_workers(bench)
    *_, last = await bench.add(10_000, first=_WORKERS)
    yield
    await bench.scripts.explain(job_id=last)


@case("workers", "250 workers")
async def _workers(bench: Bench) -> AsyncGenerator[None, None]:
    await _add_workers(bench)
    yield
    await bench.scripts.workers(silent_ms=60_000)


@case("read_events", "all there are of 5000 jobs, the largest entries first")
async def _read_events(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.scripts.read_events(group="g", consumer="c", budget=1000)
    await bench.add(5000)
    yield
    await bench.scripts.read_events(group="g", consumer="c", budget=1000)


@case("counts_per_priority", "1000 priorities")
async def _priorities(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.add(MAX_BATCH, place="7")
    yield
    await bench.scripts.counts_per_priority(priorities=range(1000))


@case("group", "250 groups")
async def _groups(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.add_grouped(MAX_BATCH)
    yield
    await bench.scripts.group(group_ids=[f"g{number}" for number in range(MAX_BATCH)])
