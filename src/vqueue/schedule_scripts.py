"""The scripts of job schedulers, see lua/include/schedules.lua."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from vqueue.script_calls import ScriptCalls


class SchedulerRecord(NamedTuple):
    """A job scheduler as sched_put.lua gets it, in the order of its arguments."""

    scheduler_id: str
    #: JSON; a changed one makes the scheduler start again.
    timing: bytes
    name: str
    #: The lines of the jobs' records from the name on.
    lines: bytes
    #: '0', 'lifo' or the priority.
    place: str
    every_ms: int
    #: Milliseconds, "" for now.
    anchor: str
    #: Milliseconds of the first slot, "" for the first one of the interval.
    first: str
    #: Milliseconds of the slots after the first one, with spaces between.
    slots: str
    final: int
    limit: int
    last_ms: int
    missed: str
    overlap: int


class ScheduleScripts(ScriptCalls):
    """Changes job schedulers."""

    async def sched_put(self, *, scheduler: SchedulerRecord) -> None:
        """Make or change a scheduler. Raises QueueFull when the server is at maxmemory."""
        await self._call("sched_put", *scheduler)

    async def sched_refill(
        self, *, scheduler_id: str, tail: bytes, slots_ms: Sequence[int], is_final: bool
    ) -> bool:
        """List more slots after `tail`; False when another worker was first."""
        slots = " ".join(map(str, slots_ms))
        return bool(
            await self._call("sched_refill", scheduler_id, tail, slots, "1" if is_final else "0")
        )

    async def sched_del(self, *, scheduler_id: str) -> bool:
        """Remove a scheduler; False when there is none."""
        return bool(await self._call("sched_del", scheduler_id))
