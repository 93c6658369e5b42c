"""Inspecting: the part of Queue that looks at jobs and changes nothing."""

from __future__ import annotations

from collections.abc import Sequence

from vqueue.job import Job, JobState, job_from_snapshot
from vqueue.keys import check_name
from vqueue.queue_base import QueueBase
from vqueue.scripts import MAX_BATCH

#: Order of counts.lua.
_COUNTED = (
    JobState.WAITING,
    JobState.PRIORITIZED,
    JobState.DELAYED,
    JobState.ACTIVE,
    JobState.COMPLETED,
    JobState.FAILED,
    JobState.WAITING_CHILDREN,
)


class Inspecting(QueueBase):
    """Looks at jobs. Every call raises QueueUnavailable while Redis is away."""

    async def get_job(self, job_id: str) -> Job | None:
        """Return a snapshot of a job, None when the queue does not know it."""
        return (await self.get_jobs([job_id]))[0]

    async def get_jobs(self, job_ids: Sequence[str]) -> list[Job | None]:
        """Return snapshots of jobs in the order of their ids, None for unknown ones."""
        jobs: list[Job | None] = []
        for start in range(0, len(job_ids), MAX_BATCH):
            ids = [check_name(i, what="job id") for i in job_ids[start : start + MAX_BATCH]]
            snapshots = await self._scripts.snapshot(ids=ids)
            jobs += [
                snapshot and job_from_snapshot(job_id, snapshot, queue_name=self.name)
                for job_id, snapshot in zip(ids, snapshots.jobs, strict=True)
            ]
        return jobs

    async def get_job_counts(self) -> dict[JobState, int]:
        """Return how many jobs are in each state, as of one moment."""
        return dict(zip(_COUNTED, await self._scripts.counts(), strict=True))

    async def get_job_logs(self, job_id: str, *, start: int = 0, end: int = -1) -> list[str]:
        """Return log lines from `start` to `end` (both included, negative from the end)."""
        check_name(job_id, what="job id")
        lines = await self._client.execute("LRANGE", self.keys.log(job_id), start, end)
        return [line.decode() for line in lines]

    async def get_deduplication_job_id(self, deduplication_id: str) -> str | None:
        """Return the id of the job that stands for a deduplication id, None when it is free."""
        check_name(deduplication_id, what="deduplication id")
        owner = await self._client.execute("GET", self.keys.dedup_owner(deduplication_id))
        return owner and str(owner, "ascii")
