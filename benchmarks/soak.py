"""Hours of a queue's life in minutes: nothing in Redis and in the workers may grow.

    python -m benchmarks.soak [--cpu-minutes 24]

Starts a valkey-server, two producers' worth of adds and two workers in this process. Jobs are
plain, delayed, with priorities, last in first out, with ids of their own that come twice; they
report progress, write logs, return results, fail and are tried again, and fail for good; finished
ones are kept by count. Runs until server and process have used that much CPU time together, and
prints keys, memory of the server and of the process as it goes. Exits with 1 when the last third
of the run has more of any of them than the second third, by more than 3 %.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import redis

from devstack import Valkey
from vqueue import Backoff, Job, JobState, NewJob, Queue, UnrecoverableError, Worker
from vqueue.options import JobOptions

_KEPT = 1000
_BATCH = 100
_UNSTARTED = (JobState.WAITING, JobState.PRIORITIZED, JobState.DELAYED)
#: Jobs that may wait before producers pause.
_MOST_WAITING = 2000
_SAMPLES = 90


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """What there was at one moment."""

    keys: int
    server_mb: float
    process_mb: float


class Soak:
    """One queue under steady mixed load."""

    def __init__(self, url: str, seed: int) -> None:
        self._url = url
        self._random = random.Random(seed)  # noqa: S311 - a repeatable mixture
        self._redis = redis.Redis.from_url(url)
        self.ended = 0

    async def run(self, cpu_seconds: float) -> list[Sample]:
        """Work until the CPU time is used; return what was seen on the way."""
        samples: list[Sample] = []
        async with Queue("soak", self._url) as queue, self._worker(), self._worker():
            producing = asyncio.create_task(self._produce(queue))
            while (used := self.cpu_seconds()) < cpu_seconds:
                if used >= cpu_seconds * len(samples) / _SAMPLES:
                    samples.append(self._sample())
                    print(f"{used / 60:5.1f} CPU min  {self.ended:>9,} ended  {samples[-1]}")
                await asyncio.sleep(0.5)
                if producing.done():
                    break
            producing.cancel()
            await asyncio.wait([producing])
            if not producing.cancelled():
                producing.result()
        return samples

    def _worker(self) -> Worker:
        return Worker(
            "soak",
            self._handle,
            self._url,
            concurrency=50,
            remove_on_complete=_KEPT,
            remove_on_fail=_KEPT,
            keep_logs=10,
        )

    async def _handle(self, job: Job) -> dict[str, int]:
        self.ended += 1
        kind = job.data["kind"]
        if kind == "reports":
            await job.update_progress(50)
            await job.log("half way")
        if kind == "waits":
            await asyncio.sleep(0.02)
        if kind == "fails" or (kind == "fails once" and job.attempts_made == 0):
            raise ValueError("as it was told to")
        if kind == "is hopeless":
            raise UnrecoverableError("as it was told to")
        return {"attempts": job.attempts_made}

    async def _produce(self, queue: Queue) -> None:
        number = 0
        while True:
            counts = await queue.get_job_counts()
            if sum(counts[state] for state in _UNSTARTED) > _MOST_WAITING:
                await asyncio.sleep(0.01)
                continue
            jobs = [self._job(number + offset) for offset in range(_BATCH)]
            await queue.add_bulk(jobs)
            # ids that are there already
            await queue.add_bulk([job for job in jobs if job.options.job_id])
            number += _BATCH

    def _job(self, number: int) -> NewJob:
        choose = self._random
        kind = choose.choices(
            ["plain", "reports", "waits", "fails once", "fails", "is hopeless"],
            weights=[70, 10, 10, 5, 3, 2],
        )[0]
        options = JobOptions(
            attempts=2,
            backoff=Backoff(delay=0.05),
            delay=choose.choice([0, 0, 0, 0.05]),
            priority=choose.choice([0, 0, 0, choose.randint(1, 9)]),
            job_id=f"own-{number}" if choose.random() < 0.1 else None,
        )
        return NewJob(name="task", data={"kind": kind, "pad": "x" * 80}, options=options)

    def cpu_seconds(self) -> float:
        """CPU time of the server and of this process."""
        cpu = self._redis.info("cpu")
        return float(cpu["used_cpu_user"] + cpu["used_cpu_sys"]) + time.process_time()

    def _sample(self) -> Sample:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        # a tombstone lives for ten minutes: what is counted is what stays
        keys = sum(1 for key in self._redis.scan_iter(count=10_000) if b":gone:" not in key)
        return Sample(
            keys=keys,
            server_mb=round(self._redis.info("memory")["used_memory"] / 1e6, 1),
            process_mb=round(pages * 4096 / 1e6, 1),
        )


def growth(samples: Sequence[Sample]) -> list[str]:
    """Name what the last third has more of than the second third; pure."""
    third = len(samples) // 3
    grown = []
    for name in ("keys", "server_mb", "process_mb"):
        values = [getattr(sample, name) for sample in samples]
        before, after = values[third : 2 * third], values[2 * third :]
        if not before or min(after) > max(before) * 1.03:
            grown.append(f"{name}: {before} then {after}")
    return grown


def main() -> int:
    """Run, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cpu-minutes", type=float, default=24)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))  # noqa: S311
    options = parser.parse_args()
    print(f"seed {options.seed}")
    with tempfile.TemporaryDirectory() as folder, Valkey(Path(folder)) as server:
        soak = Soak(server.settings()["REDIS_URL"], options.seed)
        samples = asyncio.run(soak.run(options.cpu_minutes * 60))
    grown = growth(samples)
    print("\n".join(grown) or "nothing has grown")
    return 1 if grown else 0


if __name__ == "__main__":
    sys.exit(main())
