"""One run of one scenario with one contender: its programs, its Redis, its figures."""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.exactly_once import Tally, tally
from benchmarks.peers.catalogue import Contender, Pace, Peer
from benchmarks.placement import Placement
from benchmarks.program import Program, running
from benchmarks.server import RedisProbe, RedisUsage

#: Figures of a run by name; units are in the names.
Figures = dict[str, float]

#: Jobs that are done off the clock before those that count. Node compiles again what has run often,
#: and is a third faster after ten thousand jobs; Python is as fast after a hundred.
_WARM = 10_000

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class NotCarriedOut(Exception):
    """A run whose figures would say nothing: jobs left over, or not done in time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Spent:
    """What a measured stretch took."""

    seconds: float
    redis: RedisUsage
    #: CPU seconds of the program under test.
    client_cpu_s: float

    def figures(self, jobs: int) -> Figures:
        """The cost of each of `jobs` jobs, and how busy both sides were (1 is a whole core)."""
        return {
            "redis_us_per_job": self.redis.cpu_us / jobs,
            "redis_commands_per_job": self.redis.commands / jobs,
            "redis_bytes_per_job": (self.redis.bytes_in + self.redis.bytes_out) / jobs,
            "client_us_per_job": self.client_cpu_s * 1e6 / jobs,
            "redis_busy": self.redis.cpu_us / 1e6 / self.seconds,
            "client_busy": self.client_cpu_s / self.seconds,
        }


@dataclass(kw_only=True, slots=True)
class Bench:
    """What a scenario works with. Redis is empty when it gets one."""

    contender: Contender
    placement: Placement
    redis: RedisProbe
    quick: bool
    log: Path
    queue_name: str
    #: Of a MongoDB, for scenarios that say that they need one.
    mongo_uri: str = ""
    #: What programs said of themselves.
    versions: dict[str, str] = field(default_factory=dict)
    guarantees: str = ""
    #: Set by `check`.
    tally: Tally | None = None

    def jobs(self, full: int, *, least: int = 100) -> int:
        """A number of jobs that this contender does in about a second.

        `full` is for the fastest ones; a quick run takes a third of it, an eighth for the others.
        """
        pace = self.contender.peer.pace
        scaled = full * pace // 100
        if self.quick:
            scaled //= 3 if pace is Pace.FAST else 8
        return max(scaled, least)

    def warm(self, full: int = _WARM) -> int:
        """How many jobs to do first, off the clock: as many in a quick run."""
        return full if self.contender.peer.pace is Pace.FAST else full // 50

    @contextlib.asynccontextmanager
    async def program(self, *, spread: bool = False) -> AsyncIterator[Program]:
        """A program with the queue open; on all client cores with `spread`."""
        cores = self.placement.all_clients if spread else (self.placement.client,)
        async with running(self.contender, cores=cores, log=self.log) as program:
            said = await program.ask("open", redis_url=self.redis.url, queue_name=self.queue_name)
            self.versions, self.guarantees = said["versions"], said["guarantees"]
            yield program
            await program.ask("close")

    @contextlib.asynccontextmanager
    async def helper(self, peer: Peer, **how: Any) -> AsyncIterator[Program]:
        """Another program beside the contender's, on the same core and queue."""
        helping = Contender(peer=peer, setting=peer.settings[0])
        cores = (self.placement.client,)
        async with running(helping, cores=cores, log=self.log) as program:
            url = self.redis.url
            await program.ask("open", redis_url=url, queue_name=self.queue_name, **how)
            yield program
            await program.ask("close")

    async def fill(self, count: int) -> None:
        """Have `count` waiting jobs added by a program that is gone afterwards."""
        async with self.program() as producer:
            for start in range(0, count, 50_000):
                await producer.ask("fill", timeout_s=120, count=min(50_000, count - start))

    async def finish(
        self,
        worker: Program,
        *,
        within_s: float = 60.0,
        on_seen: Callable[[], object] | None = None,
    ) -> dict[str, Any]:
        """Wait until the worker has seen all jobs asked for, stop it, give its ledger.

        `on_seen` is called before it is stopped. Raises NotCarriedOut when it has not seen them
        within `within_s` seconds.
        """
        waited = await worker.ask("work_wait", timeout_s=within_s + 10, limit_s=within_s)
        if on_seen is not None:
            on_seen()
        ledger = await worker.ask("work_stop")
        if not waited["in_time"]:
            raise NotCarriedOut(
                f"{self.contender.label}: after {within_s:g} s there were {ledger['runs']} runs; "
                f"{tally([ledger]).describe()}"
            )
        return ledger

    async def check(self, program: Program, *ledgers: dict[str, Any]) -> None:
        """Keep whether each job ran exactly once, and look that the queue is empty.

        Raises NotCarriedOut when the queue says that jobs are waiting or running.
        """
        self.tally = tally(ledgers)
        await self.expect_left_over(program, 0)

    async def expect_left_over(self, program: Program, expected: int) -> None:
        """Raises NotCarriedOut when the queue counts other than `expected` unfinished jobs."""
        left_over = (await program.ask("count_left_over"))["left_over"]
        if left_over is not None and left_over != expected:
            raise NotCarriedOut(
                f"{self.contender.label} counts {left_over} waiting or running jobs, "
                f"and {expected} were expected"
            )


async def seen(worker: Program, count: int) -> None:
    """Return when a worker has run so many jobs; the run's own limit bounds it."""
    while (await worker.ask("work_progress"))["seen"] < count:  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.02)


class Meter:
    """Measures what happens between its making and `read`."""

    def __init__(self, bench: Bench, program: Program) -> None:
        self._probe = bench.redis
        self._pid = program.pid
        self._redis = bench.redis.usage()
        self._cpu_s = cpu_seconds(self._pid)
        self._started = time.perf_counter()
        self._spent: Spent | None = None

    def stop(self) -> None:
        """Measure up to here, and no further."""
        self._spent = self.read()

    def read(self) -> Spent:
        """What was used until `stop`, or so far; the program must still run then."""
        return self._spent or Spent(
            seconds=time.perf_counter() - self._started,
            client_cpu_s=cpu_seconds(self._pid) - self._cpu_s,
            redis=self._probe.usage() - self._redis,
        )


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and its threads, in steps of 10 ms."""
    # after the name, which may hold spaces: field 3 is the state, 14 and 15 are the times
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def resident_bytes(pid: int) -> int:
    """The resident set of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES


async def settle(seconds: float) -> None:
    """Let a stretch of time pass that is itself what is measured."""
    await asyncio.sleep(seconds)
