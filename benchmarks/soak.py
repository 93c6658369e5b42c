"""Hours of a queue's life in minutes: nothing in Redis and in the workers may grow.

    python -m benchmarks.soak [--cpu-minutes 24]

Starts a valkey-server, two producers' worth of adds and two workers in this process. Jobs are
plain, delayed, with priorities, with ids of their own that come twice; they
report progress, write logs, return results, fail and are tried again, and fail for good; finished
ones are kept by count. Runs until server and process have used that much CPU time together, and
prints what there is as it goes. Exits with 1 when

- the median of the last third of the run is above that of the second third, by more than 3 % of
  the keys or of the memory of the process, or by more than 10 % of the memory of the keys; or
- there are more tombstones than jobs can have been removed in the ten minutes that one lives.

Keys and their memory are those without tombstones, which rise for ten minutes and then follow the
rate. The memory of the whole server, most of it tombstones, is printed and not judged.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
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
_WORKERS = 2
_CONCURRENCY = 50
#: Keys that are asked for their memory in one round trip.
_PAGE = 500
#: How long a tombstone lives (include/retention.lua).
TOMBSTONE_S = 600
#: Of tombstones beside the jobs that ended meanwhile: what was kept or in hand before.
MOST_OLDER = 2 * _KEPT + 2 * _WORKERS * _CONCURRENCY
#: The figures that may not grow, and by what share medians of thirds may differ. The samples of
#: `keys` spread by 2.2 % (standard deviation), those of `keys_mb` by 6.5 %, for its streams are
#: trimmed by whole nodes: with 3 % one run in six would fail for nothing.
JUDGED = {"keys": 0.03, "keys_mb": 0.1, "process_mb": 0.03}


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """What there was at one moment."""

    #: Since the start.
    at_s: float
    #: Jobs that have ended since the start.
    ended: int
    #: Without tombstones.
    keys: int
    #: What these keys take, by MEMORY USAGE.
    keys_mb: float
    tombstones: int
    #: The whole server, tombstones included.
    server_mb: float
    process_mb: float


class Soak:
    """One queue under steady mixed load."""

    def __init__(self, url: str, seed: int) -> None:
        self._url = url
        self._random = random.Random(seed)  # noqa: S311 - a repeatable mixture
        self._redis = redis.Redis.from_url(url)
        self._ended = 0
        self._started = time.monotonic()

    async def run(self, cpu_seconds: float) -> list[Sample]:
        """Work until the CPU time is used; return what was seen on the way."""
        samples: list[Sample] = []
        async with Queue("soak", self._url) as queue, self._worker(), self._worker():
            producing = asyncio.create_task(self._produce(queue))
            while (used := self.cpu_seconds()) < cpu_seconds:
                if used >= cpu_seconds * len(samples) / _SAMPLES:
                    samples.append(self._sample())
                    print(f"{used / 60:5.1f} CPU min  {samples[-1]}", flush=True)
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
            concurrency=_CONCURRENCY,
            remove_on_complete=_KEPT,
            remove_on_fail=_KEPT,
            keep_logs=10,
        )

    async def _handle(self, job: Job) -> dict[str, int]:
        kind = job.data["kind"]
        if job.attempts_made > 0 or kind not in ("fails", "fails once"):
            self._ended += 1  # whatever happens, it is not tried again
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
        # before the scan, which takes seconds and counts what goes meanwhile
        at_s = time.monotonic() - self._started
        tombstones, kept = 0, []
        for key in self._redis.scan_iter(count=10_000):
            if b":gone:" in key:
                tombstones += 1
            else:
                kept.append(key)
        return Sample(
            at_s=round(at_s, 3),
            ended=self._ended,
            keys=len(kept),
            keys_mb=round(sum(self._sizes(kept)) / 1e6, 3),
            tombstones=tombstones,
            server_mb=round(self._redis.info("memory")["used_memory"] / 1e6, 1),
            process_mb=round(pages * 4096 / 1e6, 1),
        )

    def _sizes(self, keys: Sequence[bytes]) -> Iterator[int]:
        for start in range(0, len(keys), _PAGE):
            pipeline = self._redis.pipeline(transaction=False)
            for key in keys[start : start + _PAGE]:
                pipeline.memory_usage(key, samples=0)
            # a key may have gone since it was counted
            yield from (size or 0 for size in pipeline.execute())


def growth(samples: Sequence[Sample]) -> list[str]:
    """Name what the last third has more of than the second third, by their medians; pure."""
    third = len(samples) // 3
    if third == 0:
        return [f"{len(samples)} samples are too few to compare"]
    grown = []
    for name, allowed in JUDGED.items():
        values = [getattr(sample, name) for sample in samples]
        before = statistics.median(values[-2 * third : -third])
        after = statistics.median(values[-third:])
        if after > before * (1 + allowed):
            grown.append(
                f"{name}: median {before:,.6g} in the second third, {after:,.6g} in the last"
            )
    return grown


def tombstone_bound(samples: Sequence[Sample], number: int) -> int | None:
    """The most tombstones that a sample may have; None before the first can have gone; pure.

    At most one for each job removed in the ten minutes before it, and those had ended in them,
    or were kept or in hand when they began.
    """
    now = samples[number]
    older = [sample for sample in samples[:number] if sample.at_s <= now.at_s - TOMBSTONE_S]
    return now.ended - older[-1].ended + MOST_OLDER if older else None


def outlived(samples: Sequence[Sample]) -> list[str]:
    """Name the moments that had more tombstones than may be; pure."""
    return [
        f"tombstones: {sample.tombstones:,} after {sample.at_s:,.0f} s, at most {most:,} may be"
        for number, sample in enumerate(samples)
        if (most := tombstone_bound(samples, number)) is not None and sample.tombstones > most
    ]


def scope(samples: Sequence[Sample]) -> str:
    """Say what a run was long enough to judge, and what was not judged; pure."""
    last = samples[-1]
    most = tombstone_bound(samples, len(samples) - 1)
    judged, not_judged = f"judged: {', '.join(JUDGED)}", "not judged: "
    if most is None:
        not_judged += (
            f"whether tombstones go ({last.tombstones:,} at the end), for the run was shorter than"
            f" the {TOMBSTONE_S} s that they live; "
        )
    else:
        judged += f"; tombstones ({last.tombstones:,} at the end, at most {most:,} may be)"
    return f"{judged}\n{not_judged}the whole server's {last.server_mb} MB, tombstones included"


def main() -> int:
    """Run, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cpu-minutes", type=float, default=24)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))  # noqa: S311
    options = parser.parse_args()
    if options.cpu_minutes < 1:
        parser.error("--cpu-minutes: at least 1, or kept jobs are still growing in number")
    print(f"seed {options.seed}")
    with tempfile.TemporaryDirectory() as folder, Valkey(Path(folder)) as server:
        soak = Soak(server.settings()["REDIS_URL"], options.seed)
        samples = asyncio.run(soak.run(options.cpu_minutes * 60))
    wrong = growth(samples) + outlived(samples)
    print(scope(samples))
    print("\n".join(wrong) or "nothing of what was judged has grown")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
