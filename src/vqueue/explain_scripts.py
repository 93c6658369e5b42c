"""The script that tells where a job is, as a method of Scripts."""

from __future__ import annotations

from typing import Any, NamedTuple

from vqueue.script_calls import ScriptCalls


class GroupStanding(NamedTuple):
    """What holds for the group of a waiting job."""

    id: str
    active: int
    is_paused: bool
    #: When its rate limit ends, in ms; 0 when none holds it back.
    rests_until_ms: int
    #: Whether a job of it is taken when its turn has come.
    gets_turns: bool


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
    #: None for a job that waits in no group.
    group: GroupStanding | None

    @property
    def is_in_a_window(self) -> bool:
        """Whether jobs are counted that start, by limiters of workers: the queue has no limit."""
        window_end = int(float(self.settings.get("window_end", 0)))
        return window_end > self.now_ms and "limit_max" not in self.settings


class ExplainScripts(ScriptCalls):
    """Reads only."""

    async def explain(self, *, job_id: str) -> Standing:
        """Return where a job is."""
        (
            now,
            place,
            at,
            consumer,
            left,
            in_front,
            active,
            settings,
            group,
        ) = await self._call("explain", job_id)
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
            group=_group(group) if group else None,
        )


def _group(told: list[Any]) -> GroupStanding:
    group, active, paused, rests_until, gets_turns = told
    return GroupStanding(
        id=group.decode(),
        active=active,
        is_paused=bool(paused),
        rests_until_ms=rests_until,
        gets_turns=bool(gets_turns),
    )
