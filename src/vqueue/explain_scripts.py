"""The script that tells where a job is, as a method of Scripts."""

from __future__ import annotations

from typing import NamedTuple

from vqueue.script_calls import ScriptCalls


class Standing(NamedTuple):
    """Where a job is, and all that may keep it from running; times in ms."""

    now_ms: int
    #: First line of the record, see lua/include/record.lua; '' for an unknown job.
    place: str
    #: When a delayed job is due or a finished one has ended, 0 for others.
    at_ms: int
    #: Who holds an active job, '' for others.
    consumer: str
    lease_left_ms: int
    in_front: int
    active: int
    #: The fields of meta that lua/include/gate.lua reads, those that are set.
    settings: dict[str, str]
    #: Consumer → ms without a sign of life.
    silence: dict[str, int]


class ExplainScripts(ScriptCalls):
    """Reads only."""

    async def explain(self, *, job_id: str) -> Standing:
        """Return where a job is."""
        now, place, at, consumer, left, in_front, active, settings, workers = await self._call(
            "explain", job_id
        )
        named = [value.decode() for value in settings]
        return Standing(
            now_ms=now,
            place=place.decode(),
            at_ms=at,
            consumer=consumer.decode(),
            lease_left_ms=left,
            in_front=in_front,
            active=active,
            settings=dict(zip(named[::2], named[1::2], strict=True)),
            silence={
                name.decode(): idle for name, idle in zip(workers[::2], workers[1::2], strict=True)
            },
        )
