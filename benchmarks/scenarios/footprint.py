"""What jobs cost in Redis: memory waiting and kept, a backlog of a million, an idle worker."""

from statistics import median
from typing import Any

from benchmarks.bench import Bench, Figures, Meter, settle
from benchmarks.exactly_once import tally
from benchmarks.program import Program
from benchmarks.scenarios.scenario import Scenario
from benchmarks.spread import percentile

_BACKLOG = 1_000_000
_TIMED = 3000
#: One p99 says little on a noisy machine: the median of so many.
_BLOCKS = 3


async def memory(bench: Bench) -> Figures:
    """Bytes per waiting job, then per finished job that is kept; Redis time of both ways."""
    count = bench.jobs(60_000, least=2000)
    empty = bench.redis.memory_bytes()
    before = bench.redis.usage()
    await bench.fill(count)
    waiting = bench.redis.memory_bytes() - empty
    async with bench.program() as worker:
        await worker.ask("work_start", slots=100, expected=count)
        ledger = await bench.finish(worker)
        await bench.check(worker, ledger)
    spent = bench.redis.usage() - before
    kept = bench.redis.memory_bytes() - empty
    return {
        "waiting_bytes": waiting / count,
        "kept_bytes": kept / count,
        "redis_us_per_job": spent.cpu_us / count,
        "redis_commands_per_job": spent.commands / count,
        "redis_bytes_per_job": (spent.bytes_in + spent.bytes_out) / count,
    }


async def _add_p99_us(bench: Bench) -> float:
    async with bench.program() as producer:
        await producer.ask("add_timed", count=200)
        blocks = [await producer.ask("add_timed", count=_TIMED) for _ in range(_BLOCKS)]
    return median(percentile(block["durations_us"], 99) for block in blocks)


async def _take_p99_us(worker: Program, bench: Bench, waiting: int) -> float:
    """Of the gaps between the starts of one slot: each is a finish and a take."""
    enough = _BLOCKS * _TIMED
    await worker.ask("work_start", slots=1, expected=waiting, enough=enough)
    ledger: dict[str, Any] = await bench.finish(worker)
    found = tally([ledger], partly=True)
    if bench.tally is None or bench.tally.is_exact:
        bench.tally = found
    gaps = ledger["gaps_us"]
    blocks = [gaps[start : start + _TIMED] for start in range(0, enough, _TIMED)]
    return median(percentile(block, 99) for block in blocks)


async def backlog(bench: Bench) -> Figures:
    """A million waiting jobs: memory, and the p99 of add and take against a small queue's."""
    empty_add = await _add_p99_us(bench)
    async with bench.program() as worker:
        empty_take = await _take_p99_us(worker, bench, _BLOCKS * _TIMED + 200)
    bench.redis.empty()
    before = bench.redis.memory_bytes()
    await bench.fill(_BACKLOG)
    megabytes = (bench.redis.memory_bytes() - before) / 1e6
    full_add = await _add_p99_us(bench)
    async with bench.program() as worker:
        full_take = await _take_p99_us(worker, bench, _BACKLOG)
    return {
        "memory_mb": megabytes,
        "add_p99_ratio": full_add / empty_add,
        "take_p99_ratio": full_take / empty_take,
        "add_p99_us": full_add,
        "take_p99_us": full_take,
    }


async def idle(bench: Bench) -> Figures:
    """Commands a second of one worker with 10 slots and nothing to do, after its first seconds."""
    async with bench.program() as worker:
        await worker.ask("work_start", slots=10, expected=0)
        await settle(2.0)
        meter, seconds = Meter(bench, worker), 6.0
        sent = await bench.redis.sent_commands(seconds)
        spent = meter.read()
        await worker.ask("work_stop")
    return {
        "commands_per_s": sent / seconds,
        "with_scripts_per_s": spent.redis.commands / spent.seconds,
        "client_busy": spent.client_cpu_s / spent.seconds,
    }


SCENARIOS = (
    Scenario(
        name="memory",
        title="Redis memory per job, waiting and finished",
        headline="waiting_bytes",
        more_is_better=False,
        measure=memory,
        quick_only=frozenset({"vqueue", "bullmq-node"}),
    ),
    Scenario(
        name="backlog-1m",
        title="A million waiting jobs",
        headline="memory_mb",
        more_is_better=False,
        measure=backlog,
        only=frozenset({"vqueue", "bullmq-node"}),
        quick_only=frozenset({"vqueue"}),
        quick_repeats=1,
        limit_s=400,
    ),
    Scenario(
        name="idle",
        title="Redis commands a second of an idle worker",
        headline="commands_per_s",
        more_is_better=False,
        measure=idle,
        quick_only=frozenset({"vqueue"}),
        quick_repeats=1,
    ),
)
