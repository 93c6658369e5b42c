"""Cleaning: the part of Queue that removes many jobs, or all there is."""

from __future__ import annotations

from vqueue.errors import InvalidOption, QueueBusy
from vqueue.inspecting import Inspecting
from vqueue.quantities import Seconds, check_count, to_ms
from vqueue.schedules import server_time_ms
from vqueue.scripts import MAX_BATCH
from vqueue.states import JobState

#: What stands in line, in the order in which it is drained.
_IN_LINE = (JobState.WAITING, JobState.PRIORITIZED)

#: Jobs that one call looks at: to remove one costs Redis as much as to end three.
_STEP = 100
#: Keys that one call looks at: each may be a job whose parents are told.
_SWEPT = 50


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

        All are gone at one moment, which an event ``obliterated`` tells; then their keys are looked
        for among all keys of the database, an event ``removed`` tells of each job, and parents in
        other queues wait for it no more. Raises QueueBusy when jobs are active, unless `force`:
        then their workers lose them and cancel their handlers. Workers and producers may go on:
        they find an empty queue, which may have the same ids, groups and schedulers. After a call
        that breaks off behind that moment `remove_orphaned_jobs` goes on; a repeat removes what
        has come since, too.
        """
        while (done := await self._scripts.obliterate(force=force)).obstacle < 0:
            await self._scripts.tell_parents()
        if done.obstacle:
            raise QueueBusy(self.name, active=done.obstacle)
        await self._sweep(began=done.began)

    async def remove_orphaned_jobs(self) -> int:
        """Remove what belongs to no job that is in any state; return how many records it was.

        That happens only when keys were deleted from outside, or `obliterate` broke off. Looks at
        all keys of the database, in steps.
        """
        razed = await self._client.execute("HGET", self.keys.meta, "razed")
        return await self._sweep(began=int(razed or 0))

    async def _sweep(self, *, began: int) -> int:
        """Remove what belongs to nothing; with `began`, of the queue before that ms, the last."""
        orphans = 0
        async for names in self._names():
            for start in range(0, len(names), _SWEPT):
                part = names[start : start + _SWEPT]
                orphans += await self._scripts.sweep_orphans(names=part)
                await self._scripts.tell_parents()
        if began:
            await self._scripts.obliterate_end(began=began)
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
