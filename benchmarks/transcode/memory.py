"""The memory of a worker over many short jobs: a real daemon, FFmpeg not counted."""

import asyncio
import os
import statistics
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from devstack.process import ChildProcess
from vqueue import JobState, Queue
from vworker.contract import JOB_NAME, QUEUE_NAME, TranscodeRequest
from vworker.job_options import job_options
from vworker.storage import Storage

_KEY = "bench/memory.mp4"
_LOOK_EVERY_S = 0.2
_ENDED = (JobState.COMPLETED, JobState.FAILED)


class WorkerFailed(Exception):
    """The worker has ended, or a job has failed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """What there was when so many jobs had ended."""

    jobs: int
    #: Resident set of the daemon's Python processes, supervisor included.
    rss_mb: float


async def worker_memory(
    clip: Path, *, jobs: int, environ: Mapping[str, str], storage: Storage, folder: Path
) -> AsyncIterator[Sample]:
    """Run a worker until it has done `jobs` jobs of `clip`; give a sample at every hundredth.

    `environ` names the backends, whose queue must be empty. Raises WorkerFailed.
    """
    await storage.upload(clip, _KEY, "video/mp4")
    worker = ChildProcess(
        [sys.executable, "-m", "vworker"],
        log_path=folder / "vworker.log",
        environ={
            **os.environ,
            **environ,
            "WORKER_TEMP_DIR": str(folder / "scratch"),
            "WORKER_PRESET": "ultrafast",
            "WORKER_SANDBOX": "prefer",
        },
    )
    try:
        async with Queue(QUEUE_NAME, environ["REDIS_URL"]) as queue:
            for number in range(jobs):
                video_id = f"bench-memory-{number:05d}"
                request = TranscodeRequest(video_id=video_id, source=_KEY)
                await queue.add(JOB_NAME, request.to_json(), job_id=video_id, **job_options())
            async for sample in _watch(worker, queue, jobs):
                yield sample
    finally:
        await asyncio.to_thread(worker.stop, 20)
        await storage.delete(_KEY)


async def _watch(worker: ChildProcess, queue: Queue, jobs: int) -> AsyncIterator[Sample]:
    every = max(1, jobs // 100)
    ended = sampled = 0
    while ended < jobs:
        await asyncio.sleep(_LOOK_EVERY_S)
        counts = await queue.get_job_counts()
        ended = sum(counts[state] for state in _ENDED)
        if worker.exit_code is not None or counts[JobState.FAILED]:
            raise WorkerFailed(f"exit code {worker.exit_code}, jobs by state {counts}")
        if ended >= sampled + every:
            sampled = ended
            yield Sample(jobs=ended, rss_mb=_rss_mb(worker.pid))


def growth(samples: Sequence[Sample]) -> float:
    """The last third's resident set over the second third's, both medians.

    Raises ValueError for less than three samples.
    """
    if len(samples) < 3:
        raise ValueError(f"{len(samples)} samples have no thirds: run more jobs")
    third = len(samples) // 3
    middle = statistics.median(sample.rss_mb for sample in samples[third : 2 * third])
    last = statistics.median(sample.rss_mb for sample in samples[-third:])
    return last / middle


def _rss_mb(supervisor: int) -> float:
    """Of the supervisor and its worker processes: the children that run Python."""
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
    return round(sum(_resident_kb(pid) for pid in (str(supervisor), *children)) / 1000, 1)


def _resident_kb(pid: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
