"""Consuming a backlog with a handler that does nothing, finished jobs kept as each queue keeps
them: one process with 1 to 500 slots, and several processes."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

from benchmarks.bench import Bench, Figures, Meter, NotCarriedOut
from benchmarks.program import Program
from benchmarks.scenarios.scenario import Scenario

SLOTS = (1, 10, 100, 500)
#: With most slots, where the others are no faster than with a hundred.
_IN_QUICK = frozenset({"vqueue", "bullmq-node"})
_POLL_S = 0.05


def consume(slots: int) -> Callable[[Bench], Awaitable[Figures]]:
    """One process with `slots` slots."""

    async def measure(bench: Bench) -> Figures:
        warm = bench.warm()
        jobs = {1: 5000, 10: 20_000}.get(slots, 50_000)
        count = warm + bench.jobs(jobs, least=max(500, 4 * slots))
        await bench.fill(count)
        async with bench.program() as worker:
            meter = Meter(bench, worker)
            await worker.ask("work_start", slots=slots, expected=count, warm=warm)
            ledger = await bench.finish(worker, on_seen=meter.stop)
            spent = meter.read()
            await bench.check(worker, ledger)
        rate = ledger["window_jobs"] / ledger["window_s"]
        return {"jobs_per_s": rate, **spent.figures(count)}

    return measure


def share(processes: int, slots: int = 100) -> Callable[[Bench], Awaitable[Figures]]:
    """Several processes on one queue, on all cores that are not Redis's."""

    async def measure(bench: Bench) -> Figures:
        count = bench.jobs(60_000, least=4 * slots * processes)
        await bench.fill(count)
        async with AsyncExitStack() as stack:
            workers = [
                await stack.enter_async_context(bench.program(spread=True))
                for _ in range(processes)
            ]
            for worker in workers:
                await worker.ask("work_start", slots=slots, expected=count)
            seconds = await _all_seen(workers, count)
            ledgers = [await worker.ask("work_stop") for worker in workers]
            await bench.check(workers[0], *ledgers)
        shares = [ledger["runs"] / count for ledger in ledgers]
        return {"jobs_per_s": count / seconds, "smallest_share": min(shares)}

    return measure


async def _all_seen(workers: list[Program], count: int) -> float:
    """Wait until the workers have seen all jobs; seconds from the first run to the last."""
    for _ in range(round(60 / _POLL_S)):
        seen = [await worker.ask("work_progress") for worker in workers]
        if sum(progress["seen"] for progress in seen) >= count:
            busy = [progress for progress in seen if progress["seen"]]
            first = min(float(progress["first_us"]) for progress in busy)
            return (max(float(progress["last_us"]) for progress in busy) - first) / 1e6
        await asyncio.sleep(_POLL_S)
    raise NotCarriedOut(f"after 60 s {len(workers)} processes have not done {count} jobs")


async def end_to_end(bench: Bench) -> Figures:
    """50 callers add a job and await its result, one worker with 100 slots."""
    count, warm = bench.jobs(10_000, least=200), bench.warm()
    async with bench.program() as worker, bench.program() as caller:
        await worker.ask("work_start", slots=100, expected=count + warm)
        took = await caller.ask("end_to_end", count=count, warm=warm, in_flight=50)
        await bench.check(worker, await bench.finish(worker))
    return {"jobs_per_s": count / took["seconds"]}


SCENARIOS = (
    *(
        Scenario(
            name=f"consume-{slots}",
            title=f"Consume a backlog, one process, {slots} slot{'s' if slots > 1 else ''}",
            headline="jobs_per_s",
            measure=consume(slots),
            quick_only=_IN_QUICK if slots == SLOTS[-1] else None,
        )
        for slots in SLOTS
    ),
    Scenario(
        name="consume-100-aof",
        title="Consume a backlog, one process, 100 slots, AOF everysec",
        headline="jobs_per_s",
        measure=consume(100),
        aof=True,
        quick=False,
    ),
    *(
        Scenario(
            name=f"processes-{processes}",
            title=f"Consume a backlog, {processes} processes of 100 slots",
            headline="jobs_per_s",
            measure=share(processes),
            client_cores=processes // 2,
            quick=False,
        )
        for processes in (2, 4)
    ),
    Scenario(
        name="end-to-end",
        title="50 callers add a job and await its result",
        headline="jobs_per_s",
        measure=end_to_end,
        quick=False,
    ),
)
