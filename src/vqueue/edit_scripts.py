"""The scripts that change one job from outside, as methods of Scripts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from vqueue.script_calls import ScriptCalls

#: 1: done. A state: the job is in that one, and nothing was done. None: there is no such job.
Edited = int | str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Resets:
    """What a retried job counts anew."""

    #: Attempts that have ended.
    made: bool
    #: Stalls, and starts that no attempt was spent on.
    started: bool


class Retried(NamedTuple):
    """Reply of a retry."""

    jobs: int
    #: The ms until which jobs had to have ended.
    before: str
    #: Whether the call was cut short by what hangs on a job of a flow: it is to be repeated.
    is_cut: bool


def _edited(reply: int | bytes | None) -> Edited:
    return reply.decode() if isinstance(reply, bytes) else reply


class EditScripts(ScriptCalls):
    """Each is safe to repeat unless it says otherwise."""

    async def remove(self, *, job_id: str, children: bool) -> Edited:
        """Remove a job that is not active; 'many' when too many are under it."""
        return _edited(await self._call("remove", job_id, int(children)))

    async def cancel(self, *, job_id: str, reason: bytes) -> Edited:
        """Fail a job with the reason (JSON), or have the worker of an active one do so."""
        return _edited(await self._call("cancel", job_id, reason))

    async def promote(self, *, job_id: str = "", most: int = 1) -> Edited:
        """Promote a delayed job, or the `most` (up to 250) that are due first: how many."""
        return _edited(await self._call("promote", most, job_id))

    async def retry(
        self, *, resets: Resets, state: str, job_id: str = "", before: str = "", most: int = 1
    ) -> Retried | str | None:
        """Retry a job that has ended in `state`, or the `most` (up to 250) that ended first.

        The state of a single job when it is in another one, None when there is no such job.
        """
        reply = await self._call(
            "retry", state, int(resets.made), int(resets.started), before, most, job_id
        )
        if isinstance(reply, list):
            return Retried(reply[0], str(reply[1]), bool(reply[2]))
        return reply and str(reply, "ascii")

    async def change_delay(self, *, job_id: str, delay_ms: int) -> Edited:
        """Have a delayed job due in `delay_ms` from now."""
        return _edited(await self._call("change_delay", job_id, delay_ms))

    async def change_priority(self, *, job_id: str, priority: int, lifo: bool) -> Edited:
        """Give a job that stands in line, or is delayed, another priority."""
        return _edited(await self._call("change_priority", job_id, priority, int(lifo)))

    async def update_data(
        self, *, job_id: str, data: bytes, token: bytes = b"", consumer: str = ""
    ) -> int | None:
        """Replace a job's data (JSON); 0 when the activation that is named has lost it."""
        changed: int | None = await self._call("update_data", job_id, data, token, consumer)
        return changed

    async def add_log(self, *, job_id: str, keep: int, line: str) -> int | None:
        """Append a log line; return how many are kept. A repeat adds it again."""
        kept: int | None = await self._call("add_log", job_id, keep, line)
        return kept
