"""Cases of the scripts that workers call for the jobs that they hold, and those that report."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from benchmarks.script_cases.bench import Bench, case
from vqueue.scripts import MAX_BATCH


@case("heartbeat", "250 jobs, one of which is cancelled")
async def _heartbeat(bench: Bench) -> AsyncGenerator[None, None]:
    ids = await bench.add(MAX_BATCH)
    tokens = [job.token for job in await bench.take(MAX_BATCH)]
    await bench.queue.cancel(ids[0])
    yield
    await bench.scripts.heartbeat(consumer="w1", lease_ms=60_000, tokens=tokens)


@case("progress", "250 jobs")
async def _progress(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.add(MAX_BATCH)
    taken = await bench.take(MAX_BATCH)
    jobs = [(job.id.decode(), job.token, b"50") for job in taken]
    yield
    await bench.scripts.progress(consumer="w1", jobs=jobs)


@case("log", "250 lines of as many jobs")
async def _log(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.add(MAX_BATCH)
    taken = await bench.take(MAX_BATCH)
    lines = [(job.id.decode(), job.token, 1, "line") for job in taken]
    yield
    await bench.scripts.log(consumer="w1", keep=1000, lines=lines)


@case("partial", "250 results of as many jobs")
async def _partial(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.add(MAX_BATCH)
    taken = await bench.take(MAX_BATCH)
    results = [(job.id.decode(), job.token, "1-1", b"1") for job in taken]
    yield
    await bench.scripts.partial(consumer="w1", keep=1000, results=results)


@case("latencies", "300 buckets")
async def _latencies(bench: Bench) -> AsyncGenerator[None, None]:
    counts = {f"w{number}": 1 for number in range(300)}
    yield
    await bench.scripts.latencies(counts=counts)


@case("emit_event", "250 events, and looks at what 100 subscribers still need")
async def _emit_and_trim(bench: Bench) -> AsyncGenerator[None, None]:
    await bench.queue.set_events_cap(MAX_BATCH)
    for number in range(100):
        for consumer in ("reader", "other"):
            await bench.scripts.read_events(group=f"g{number}", consumer=consumer, budget=1)
    events = [(f"{number:032x}", b"null") for number in range(MAX_BATCH)]
    for _ in range(2):
        await bench.scripts.emit_event(name="mine", events=events)
    for number in range(100):
        for consumer in ("reader", "other"):
            await bench.scripts.read_events(group=f"g{number}", consumer=consumer, budget=1)
    yield
    await bench.scripts.emit_event(name="mine", events=events)


@case("emit_event", "250 events")
async def _emit(bench: Bench) -> AsyncGenerator[None, None]:
    events = [(f"{number:032x}", b"null") for number in range(MAX_BATCH)]
    yield
    await bench.scripts.emit_event(name="mine", events=events)
