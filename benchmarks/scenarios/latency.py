"""From the call of add in one process to the first line of the handler in another."""

from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.bench import Bench, Figures, seen
from benchmarks.scenarios.scenario import Scenario
from benchmarks.spread import percentile

#: Delayed jobs that start this much before their time are early; less is the clock's rounding.
_EARLY_US = -2000


#: Jobs before those that count, and the ms between two of them.
_WARM, _WARM_GAP_MS = 3000, 0.5


def _waits(ledger: dict[str, Any], warm: int) -> Figures:
    waits = ledger["waits_us"][warm:]
    return {"p50_ms": percentile(waits, 50) / 1000, "p99_ms": percentile(waits, 99) / 1000}


def add_to_start(gap_ms: float, full: int) -> Callable[[Bench], Awaitable[Figures]]:
    """Jobs at random gaps of `gap_ms` on average, one worker with 10 slots."""

    async def measure(bench: Bench) -> Figures:
        warm, count = bench.warm(_WARM), full // 2 if bench.quick else full
        async with bench.program() as worker, bench.program() as producer:
            await worker.ask("work_start", slots=10, expected=warm + count)
            await producer.ask("add_paced", count=warm, interval_ms=_WARM_GAP_MS)
            await seen(worker, warm)
            took = await producer.ask("add_paced", count=count, interval_ms=gap_ms)
            ledger = await bench.finish(worker)
            await bench.check(worker, ledger)
        return {**_waits(ledger, warm), "jobs_per_s": count / took["seconds"]}

    return measure


async def due_together(bench: Bench) -> Figures:
    """Jobs that are due at one moment: how late they start, one worker with 100 slots."""
    count = bench.jobs(10_000)
    async with bench.program() as worker, bench.program() as producer:
        await worker.ask("work_start", slots=100, expected=count)
        took = await producer.ask("add_delayed", count=count, due_in_s=4.0)
        ledger = await bench.finish(worker)
        await bench.check(worker, ledger)
    waits = ledger["waits_us"]
    return {
        "p99_ms": percentile(waits, 99) / 1000,
        "p50_ms": percentile(waits, 50) / 1000,
        "last_ms": max(waits) / 1000,
        "started_early": sum(wait < _EARLY_US for wait in waits),
        "added_late": float(took["early_s"] < 0),
    }


SCENARIOS = (
    Scenario(
        name="latency-idle",
        title="Add to start, idle queue (100 jobs/s)",
        headline="p50_ms",
        more_is_better=False,
        measure=add_to_start(10.0, 600),
    ),
    Scenario(
        name="latency-loaded",
        title="Add to start, 1,000 jobs/s",
        headline="p99_ms",
        more_is_better=False,
        measure=add_to_start(1.0, 4000),
        quick=False,
    ),
    Scenario(
        name="delayed",
        title="Delayed jobs due at the same moment: how late they start",
        headline="p99_ms",
        more_is_better=False,
        measure=due_together,
        quick=False,
    ),
)
