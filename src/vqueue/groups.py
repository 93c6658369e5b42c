"""Groups of jobs: the option, and Grouping, the part of Queue that looks at groups and sets what
holds for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vqueue.job import Job
from vqueue.keys import check_name
from vqueue.options import RateLimit
from vqueue.quantities import Seconds, check_count, to_ms
from vqueue.results import Results
from vqueue.scripts import MAX_BATCH


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """The group in whose line a job waits; groups take turns (BullMQ Pro's ``group``).

    The job's `priority` and `lifo` count within the line.
    """

    #: 1 to 128 of ``A-Z a-z 0-9 _ . -``.
    id: str
    #: Jobs that the line may have: an add to it of one more is refused with GroupFull. None for
    #: no limit. A delayed add is not refused, nor is a job that comes back to the line.
    max_size: int | None = None

    def __post_init__(self) -> None:
        check_name(self.id, what="group id")
        if self.max_size is not None:
            check_count(self.max_size, what="max_size of a group", low=1)

    def to_wire(self) -> dict[str, Any]:
        """Return what lua/include/groups.lua reads; the id comes first."""
        size = {} if self.max_size is None else {"max_size": self.max_size}
        return {"id": self.id, **size}


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupStatus:
    """What is known of a group."""

    id: str
    #: Jobs in its line.
    waiting: int
    active: int
    is_paused: bool
    #: Most jobs of the group that run at the same time, None for no limit.
    concurrency: int | None
    rate_limit: RateLimit | None
    #: Seconds until its rate limit lets in another job, 0 when it does now.
    limited_for: float


class Grouping(Results):
    """Groups of jobs, see the option `group`. A group is there while it has jobs or settings.

    Every call is safe to repeat, and raises QueueUnavailable while Redis is away.
    """

    async def pause_group(self, group_id: str) -> None:
        """Let no job of a group be taken; those that run go on."""
        await self._set(group_id, paused=1)

    async def resume_group(self, group_id: str) -> None:
        """Let jobs of a paused group be taken again."""
        await self._set(group_id, paused=None)

    async def set_group_concurrency(
        self, concurrency: int | None, group_id: str | None = None
    ) -> None:
        """Let at most so many jobs of a group run at the same time; None for no limit.

        Without `group_id` it holds for each group that has no setting of its own.
        """
        if concurrency is not None:
            check_count(concurrency, what="concurrency of a group", low=1)
        await self._set(group_id, concurrency=concurrency)

    async def set_group_rate_limit(
        self, limit: RateLimit | None, group_id: str | None = None
    ) -> None:
        """Let at most so many jobs of a group start in a time; None for no limit.

        Without `group_id` it holds for each group that has no setting of its own.
        """
        await self._set(
            group_id,
            limit_max=limit.max if limit else None,
            limit_ms=limit.duration_ms if limit else None,
        )

    async def rate_limit_group(self, group_id: str, seconds: Seconds) -> None:
        """Let no job of a group be taken for a time; 0 ends that, and its window, at once."""
        await self._set(group_id, hold=to_ms(seconds, what="seconds"))

    async def get_group(self, group_id: str) -> GroupStatus:
        """Return what is known of a group; one without jobs and settings is empty."""
        return (await self._statuses([check_name(group_id, what="group id")]))[0]

    async def get_groups(self, start: int = 0, end: int = -1) -> list[GroupStatus]:
        """Return the groups that have jobs waiting, the shortest line first.

        `start` and `end` are positions (both included, negative from the end).
        """
        found = await self._client.execute("ZRANGE", self.keys.prefix + "groups", start, end)
        return await self._statuses([group_id.decode() for group_id in found])

    async def get_groups_count(self) -> int:
        """Return how many groups have jobs waiting."""
        return int(await self._client.execute("ZCARD", self.keys.prefix + "groups"))

    async def get_group_jobs(self, group_id: str, start: int = 0, end: int = -1) -> list[Job]:
        """Return jobs in the line of a group, the first to be taken first."""
        found = await self._client.execute("ZRANGE", self._line(group_id), start, end)
        ids = [job_id.decode() for job_id in found]
        jobs = []
        for first in range(0, len(ids), MAX_BATCH):
            part = ids[first : first + MAX_BATCH]
            snapshots = await self._scripts.snapshot(ids=part)
            for job_id, snapshot in zip(part, snapshots.jobs, strict=True):
                if snapshot is not None:
                    jobs.append(self._job_from(job_id, snapshot))
        return jobs

    async def get_group_jobs_count(self, group_id: str) -> int:
        """Return how many jobs are in the line of a group."""
        return int(await self._client.execute("ZCARD", self._line(group_id)))

    def _line(self, group_id: str) -> str:
        return f"{self.keys.prefix}g:{check_name(group_id, what='group id')}"

    async def _set(self, group_id: str | None, **settings: int | None) -> None:
        if group_id is not None:
            check_name(group_id, what="group id")
        start = 0
        while True:
            start = await self._scripts.set_group(
                group_id=group_id or "", start=start, settings=settings
            )
            if start == 0:
                return

    async def _statuses(self, group_ids: Sequence[str]) -> list[GroupStatus]:
        statuses = []
        for first in range(0, len(group_ids), MAX_BATCH):
            part = group_ids[first : first + MAX_BATCH]
            replies = await self._scripts.group(group_ids=part)
            for group_id, reply in zip(part, replies, strict=True):
                waiting, active, paused, concurrency, most, ms, wait_ms = reply
                statuses.append(
                    GroupStatus(
                        id=group_id,
                        waiting=waiting,
                        active=active,
                        is_paused=bool(paused),
                        concurrency=None if concurrency < 0 else concurrency,
                        rate_limit=None if most < 0 else RateLimit(max=most, duration=ms / 1000),
                        limited_for=wait_ms / 1000,
                    )
                )
        return statuses
