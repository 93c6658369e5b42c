"""What only vqueue has, or promises: its mirror, a flat worker, a light import."""

import statistics
import subprocess
import time

from benchmarks.bench import Bench, Figures, NotCarriedOut, resident_bytes, seen
from benchmarks.peers.catalogue import MIRROR
from benchmarks.scenarios.scenario import Scenario
from benchmarks.spread import percentile

_ONLY = frozenset({"vqueue"})
#: Jobs of the memory scenario that wait at a time.
_SLICE = 10_000


async def mirror_drain(bench: Bench) -> Figures:
    """Jobs that were added and finished while no mirror ran, until all are in MongoDB."""
    count = bench.jobs(20_000)
    async with bench.helper(MIRROR, mongo_uri=bench.mongo_uri) as mirror:
        # the mirror knows the queue: later events are a backlog, no gap
        await mirror.ask("catch_up", limit_s=20)
        await bench.fill(count)
        async with bench.program() as worker:
            await worker.ask("work_start", slots=100, expected=count)
            await bench.check(worker, await bench.finish(worker))
        took = await mirror.ask("catch_up", limit_s=60, timeout_s=70)
    if took["completed"] != count:
        raise NotCarriedOut(f"the mirror has {took['completed']} of {count} completed jobs")
    return {"jobs_per_s": count / took["seconds"]}


async def mirror_lag(bench: Bench) -> Figures:
    """From a job's end in Redis to its document, at 1,000 jobs a second."""
    count = 4000 if bench.quick else 10_000
    async with (
        bench.helper(MIRROR, mongo_uri=bench.mongo_uri) as mirror,
        bench.program() as worker,
        bench.program() as producer,
    ):
        await mirror.ask("catch_up", limit_s=20)
        await mirror.ask("watch")
        await worker.ask("work_start", slots=10, expected=count)
        took = await producer.ask("add_paced", count=count, interval_ms=1.0)
        await bench.check(worker, await bench.finish(worker))
        lags = (await mirror.ask("lags", count=count, limit_s=30))["lags_s"]
    return {
        "p95_s": percentile(lags, 95),
        "p50_s": percentile(lags, 50),
        "worst_s": max(lags),
        "jobs_per_s": count / took["seconds"],
    }


async def worker_memory(bench: Bench) -> Figures:
    """A worker's resident set after the first tenth of its jobs, and after all of them."""
    count = 100_000 if bench.quick else 1_000_000
    async with bench.program() as worker, bench.program() as producer:
        # one worker over all slices; it counts in memory that is there from the start
        await worker.ask("work_start", slots=100, expected=count)
        early = 0
        for done in range(_SLICE, count + 1, _SLICE):
            await producer.ask("fill", count=_SLICE)
            await seen(worker, done)
            if not early and done >= count // 10:
                early = resident_bytes(worker.pid)
        late = resident_bytes(worker.pid)
        await bench.check(worker, await bench.finish(worker))
    return {
        "growth_mb": (late - early) / 1e6,
        "early_mb": early / 1e6,
        "late_mb": late / 1e6,
    }


async def import_time(bench: Bench) -> Figures:
    """`import vqueue` in a new interpreter, the interpreter's own start taken off."""
    python = str(bench.contender.peer.interpreter)

    def seconds(code: str) -> float:
        started = time.perf_counter()
        subprocess.run(
            [python, "-c", code], check=True, env=bench.contender.peer.environ() | {"PATH": ""}
        )
        return time.perf_counter() - started

    bare = statistics.median(seconds("pass") for _ in range(7))
    full = statistics.median(seconds("import vqueue") for _ in range(7))
    return {"import_ms": (full - bare) * 1000}


SCENARIOS = (
    Scenario(
        name="mirror-drain",
        title="The mirror takes a backlog of finished jobs into MongoDB",
        headline="jobs_per_s",
        measure=mirror_drain,
        mongo=True,
        only=_ONLY,
    ),
    Scenario(
        name="mirror-lag",
        title="The mirror's lag at 1,000 jobs/s",
        headline="p95_s",
        more_is_better=False,
        measure=mirror_lag,
        mongo=True,
        only=_ONLY,
        quick_repeats=1,
    ),
    Scenario(
        name="worker-memory",
        title="Growth of a worker's resident set over nine tenths of a million jobs",
        headline="growth_mb",
        more_is_better=False,
        measure=worker_memory,
        only=_ONLY,
        quick=False,
        limit_s=600,
    ),
    Scenario(
        name="import",
        title="import vqueue in a new interpreter",
        headline="import_ms",
        more_is_better=False,
        measure=import_time,
        only=_ONLY,
        quick=False,
    ),
)
