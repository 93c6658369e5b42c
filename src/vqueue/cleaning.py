"""Cleaning: the part of Queue that removes many jobs, or all there is."""

from __future__ import annotations

from vqueue.errors import InvalidOption, QueueBusy
from vqueue.inspecting import Inspecting
from vqueue.options import Seconds, check_count, to_ms
from vqueue.schedules import server_time_ms
from vqueue.scripts import MAX_BATCH
from vqueue.states import FINAL_STATES, JobState

#: What stands in line, in the order in which it is drained.
_IN_LINE = (JobState.WAITING, JobState.PRIORITIZED)
#: Keys that sweep_orphans.lua judges: others may be of jobs that were added just now.
_JUDGED = ("j:", "dd:", "dn:", "sched:", "g:", "untold:")

#: Jobs that one call looks at: to remove one costs Redis as much as to end three.
_STEP = 100


class Cleaning(Inspecting):
    """Removes jobs in steps of at most 100, each of them atomic.

    A call that breaks off has removed some, and can be repeated. Removed jobs leave with all
    that is kept of them, free their deduplication ids, and the parents of a flow wait for them
    no more. Their ids may be added again at once.
    """

    async def drain(self, *, delayed: bool = False) -> int:
        """Remove the jobs that wait in line, with `delayed` those too; return how many.

        Only jobs that are there at the call. Active and finished ones stay, so do parents
        that wait for their children, also when the last of these is removed here, and the next
        job of a scheduler.
        """
        states = (*_IN_LINE, JobState.DELAYED) if delayed else _IN_LINE
        before = str(await server_time_ms(self._client))
        # found before any is removed: a parent that this frees was not in line
        found = [(state, await self._find(state, before)) for state in states]
        removed = 0
        for state, ids in found:
            for start in range(0, len(ids), _STEP):
                part = ids[start : start + _STEP]
                cleaned = await self._scripts.clean_jobs(state=state, before=before, ids=part)
                removed += len(cleaned.ids)
        await self._scripts.tell_parents()
        return removed

    async def _find(self, state: JobState, before: str) -> list[str]:
        found: list[str] = []
        cursor = ""
        while True:
            page = await self._scripts.find_cleanable(
                state=state, before=before, limit=MAX_BATCH, cursor=cursor
            )
            found += page.ids
            cursor = page.cursor
            if not cursor:
                return found

    async def clean(
        self,
        grace: Seconds = 0,
        *,
        limit: int | None = None,
        state: JobState = JobState.COMPLETED,
    ) -> list[str]:
        """Remove the jobs of a state that are older than `grace` seconds; return their ids.

        Completed and failed jobs by when they ended, others by when they were added; at most
        `limit`. An event `cleaned` tells the number of each step. Raises InvalidOption for
        active jobs, which only their workers let go: a dead one's come back by themselves.
        """
        if state in (JobState.ACTIVE, JobState.WAITING_CHILDREN):
            raise InvalidOption(f"{state} jobs are not cleaned: cancel or remove them one by one")
        if limit is not None:
            check_count(limit, what="limit", low=1)
        grace_ms = to_ms(grace, what="grace")
        before = str(await server_time_ms(self._client) - grace_ms) if grace_ms else ""
        return await self._clean(state, before, limit, is_told=True)

    async def _clean(
        self, state: JobState, before: str, limit: int | None, *, is_told: bool = False
    ) -> list[str]:
        removed: list[str] = []
        cursor = ""
        while limit is None or len(removed) < limit:
            step = _STEP if limit is None else min(_STEP, limit - len(removed))
            cursor, before, ids = await self._scripts.clean(
                state=state, before=before, limit=step, cursor=cursor, is_told=is_told
            )
            removed += ids
            if not cursor:
                break
        await self._scripts.tell_parents()
        return removed

    async def obliterate(self, *, force: bool = False) -> None:
        """Remove the queue from Redis: jobs, settings, schedulers, events.

        All jobs are gone at one moment; then their keys are looked for among all keys of the
        database. Parents in other queues wait for none of them any more. Raises QueueBusy when
        jobs are active, unless `force`: then their workers lose them and cancel their handlers.
        Workers and producers may go on: they find an empty queue. A call that breaks off has
        removed some, and can be repeated.
        """
        if any(await self._client.execute("HMGET", self.keys.meta, "flows", "groups")):
            await self._empty(force=force)
        while (obstacle := await self._scripts.obliterate(force=force)) < 0:
            await self._scripts.tell_parents()
        if obstacle:
            raise QueueBusy(self.name, active=obstacle)
        async for names in self._names():
            await self._scripts.sweep_orphans(names=names, is_new=True)
            rest = [name for name in names if not name.startswith(_JUDGED)]
            if unlinked := [self.keys.prefix + name for name in rest if ":" in name]:
                await self._client.execute("UNLINK", *unlinked)

    async def _empty(self, *, force: bool) -> None:
        """Remove the jobs one by one: parents in other queues are told, groups leave their lists.

        Each state before those into which its jobs may move. Active jobs are only parted from
        their parents, if `force`; QueueBusy without it.
        """
        active = (await self.get_job_counts())[JobState.ACTIVE]
        if active and not force:
            raise QueueBusy(self.name, active=active)
        for state in (JobState.WAITING_CHILDREN, JobState.DELAYED, *_IN_LINE, *FINAL_STATES):
            await self._clean(state, "", None)
        cursor: str | None = ""
        while force and cursor is not None:
            page = await self.get_jobs_in(JobState.ACTIVE, cursor=cursor or None)
            for job in page.jobs:
                await self._scripts.remove_child_dependency(job_id=job.id, parent="")
            cursor = page.cursor

    async def remove_orphaned_jobs(self) -> int:
        """Remove what belongs to no job that is in any state; return how many records it was.

        That happens only when keys were deleted from outside. Looks at all keys of the
        database, in steps.
        """
        orphans = 0
        async for names in self._names():
            orphans += await self._scripts.sweep_orphans(names=names)
        return orphans

    async def trim_events(self, max_events: int) -> None:
        """Drop the oldest events but the newest `max_events` or some more.

        Readers that have not read them get a gap notice.
        """
        check_count(max_events, what="max_events", low=0)
        newest = int(await self._client.execute("HGET", self.keys.meta, "n") or 0)
        start = "+"
        while page := await self._client.execute(
            "XREVRANGE", self.keys.ev, start, "-", "COUNT", MAX_BATCH
        ):
            for entry, fields in page:
                if newest - int(fields[3]) + 1 >= max_events:
                    await self._client.execute("XTRIM", self.keys.ev, "MINID", entry)
                    return
            start = f"({page[-1][0].decode()}"
