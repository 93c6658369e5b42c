"""Inspecting: the part of Queue that looks at jobs and changes nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from vqueue.errors import InvalidOption
from vqueue.job import Job
from vqueue.keys import check_name
from vqueue.options import MAX_PRIORITY
from vqueue.presence import REMEMBERED, SILENT, WorkerInfo, worker_info
from vqueue.quantities import check_count
from vqueue.results import Results
from vqueue.scripts import MAX_BATCH
from vqueue.states import JobState

#: Keys of one page of names.
_NAMES = 100
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


@dataclass(frozen=True, kw_only=True, slots=True)
class JobPage:
    """One page of `Queue.get_jobs_in`."""

    jobs: list[Job]
    #: For the next page; None when this was the last one.
    cursor: str | None


class Inspecting(Results):
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
                snapshot and self._job_from(job_id, snapshot)
                for job_id, snapshot in zip(ids, snapshots.jobs, strict=True)
            ]
        return jobs

    async def get_job_counts(self) -> dict[JobState, int]:
        """Return how many jobs are in each state, as of one moment."""
        return dict(zip(_COUNTED, await self._scripts.counts(), strict=True))

    async def get_jobs_in(
        self,
        *states: JobState,
        cursor: str | None = None,
        limit: int = 100,
        asc: bool = False,
    ) -> JobPage:
        """Return a page of the jobs in some states, one state after the other.

        At most `limit` (1 to 250) jobs; go on with the `cursor` of the page before, and the same
        states and order. `asc`: first those that are taken, come due or ended first; else the
        opposite (active jobs are always in the order in which they were taken). A page costs
        O(log n + limit), wherever it is. Jobs that move meanwhile may be on two pages or none.
        Raises InvalidOption for a cursor that is none.
        """
        check_count(limit, what="limit", low=1, high=MAX_BATCH)
        left = list(states) or list(JobState)
        at = ""
        if cursor is not None:
            state, _, at = cursor.partition("|")
            if state not in left or not at.startswith(("z", "r", "x", "g")):
                raise InvalidOption(
                    f"cursor {cursor!r} is not one of a page of {', '.join(left)}: give the "
                    "cursor of the page before, with the same states"
                )
            left = left[left.index(JobState(state)) :]
        jobs: list[Job] = []
        for state in left:
            next_at, found = await self._scripts.page(
                state=state, cursor=at, limit=limit - len(jobs), is_rising=asc
            )
            jobs += [self._job_from(i, told) for i, told in found]
            if next_at:
                return JobPage(jobs=jobs, cursor=f"{state}|{next_at}")
            at = ""
        return JobPage(jobs=jobs, cursor=None)

    async def get_counts_per_priority(self, *priorities: int) -> dict[int, int]:
        """Return how many jobs wait in line with each priority (0: without one)."""
        for priority in priorities:
            check_count(priority, what="priority", low=0, high=MAX_PRIORITY)
        check_count(len(priorities), what="number of priorities", low=1, high=1000)
        counts = await self._scripts.counts_per_priority(priorities=priorities)
        return dict(zip(priorities, counts, strict=True))

    async def get_workers(self) -> list[WorkerInfo]:
        """Return the workers of the queue and what each is doing, at most 250.

        A worker that holds jobs speaks every second, an idle one every 15; one that was not
        heard of for 45 seconds is left out.
        """
        return [one for one in await self._remembered_workers() if one.silent_for < SILENT]

    async def _remembered_workers(self) -> list[WorkerInfo]:
        """Return the workers that were heard of in the last hour, at most 250, the latest first."""
        now_ms, workers = await self._scripts.workers(silent_ms=round(REMEMBERED * 1000))
        return [worker_info(*worker, now_ms=now_ms) for worker in workers]

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

    async def _names(self) -> AsyncIterator[Sequence[str]]:
        """Yield the keys of this queue, without its prefix, in pages; some of them twice."""
        prefix = self.keys.prefix
        cursor = b"0"
        while True:
            cursor, keys = await self._client.execute(
                "SCAN", cursor, "MATCH", f"{prefix}*", "COUNT", 1000
            )
            names = [key.decode().removeprefix(prefix) for key in keys]
            for start in range(0, len(names), _NAMES):
                yield names[start : start + _NAMES]
            if cursor == b"0":
                return
