"""Adding jobs of 100 bytes, nobody consuming: one at a time, concurrently, in bulk."""

from typing import Any

from benchmarks.bench import Bench, Figures, Meter
from benchmarks.scenarios.scenario import Scenario

IN_FLIGHT = 100
CHUNK = 1000


async def _adds(bench: Bench, operation: str, count: int, warm: int, **how: Any) -> Figures:
    """Time `count` adds; all of them must be in the queue afterwards."""
    async with bench.program() as producer:
        meter = Meter(bench, producer)
        took = await producer.ask(operation, count=count, warm=warm, **how)
        spent = meter.read()
        await bench.expect_left_over(producer, count + warm)
    return {"jobs_per_s": count / took["seconds"], **spent.figures(count + warm)}


async def one_at_a_time(bench: Bench) -> Figures:
    count = bench.jobs(4000, least=500)
    return await _adds(bench, "add_one_by_one", count, bench.warm())


async def concurrently(bench: Bench) -> Figures:
    count = bench.jobs(40_000)
    return await _adds(bench, "add_concurrently", count, bench.warm(), in_flight=IN_FLIGHT)


async def in_bulk(bench: Bench) -> Figures:
    count = bench.jobs(60_000)
    return await _adds(bench, "add_bulk", count, bench.warm(), chunk=CHUNK)


SCENARIOS = (
    Scenario(
        name="add-one",
        title="Adds one at a time, each waits for the one before",
        headline="jobs_per_s",
        measure=one_at_a_time,
    ),
    Scenario(
        name="add-concurrent",
        title=f"{IN_FLIGHT} tasks add at the same time",
        headline="jobs_per_s",
        measure=concurrently,
    ),
    Scenario(
        name="add-bulk",
        title=f"Bulk adds of {CHUNK} jobs a call",
        headline="jobs_per_s",
        measure=in_bulk,
    ),
    Scenario(
        name="add-bulk-aof",
        title=f"Bulk adds of {CHUNK} jobs a call, AOF everysec",
        headline="jobs_per_s",
        measure=in_bulk,
        aof=True,
        quick=False,
    ),
)
