"""The scripts that keep jobs of a queue from being taken, as methods of Scripts."""

from __future__ import annotations

from typing import NamedTuple

from vqueue.script_calls import ScriptCalls


class QueueLimits(NamedTuple):
    """What keeps jobs from being taken; None where there is no limit."""

    is_paused: bool
    concurrency: int | None
    limit_max: int | None
    limit_ms: int | None
    #: Until the rate limit lets jobs be taken again; 0 for now.
    wait_ms: int


class LimitScripts(ScriptCalls):
    """Each is safe to repeat."""

    async def pause(self, *, paused: bool) -> bool:
        """Let nobody take jobs, or let them again; return whether that is a change."""
        return bool(await self._call("pause", int(paused)))

    async def set_limits(self, **limits: int | None) -> None:
        """Set limits of the queue by their names in include/gate.lua, None for no limit."""
        args = [
            item
            for name, value in limits.items()
            for item in (name, "" if value is None else value)
        ]
        await self._call("set_limits", *args)

    async def present(self, *, consumer: str, info: bytes) -> None:
        """Say what a worker does (JSON), b"" that it leaves. Sent once."""
        await self._call("present", consumer, info, repeat=False)

    async def workers(self, *, silent_ms: int) -> tuple[int, list[tuple[str, int, bytes]]]:
        """Return the server's ms, and of each worker its name, the ms of its last word and
        that word (JSON)."""
        now_ms, *told = await self._call("workers", silent_ms)
        names = [name.decode() for name in told[::3]]
        return now_ms, list(zip(names, told[1::3], told[2::3], strict=True))

    async def rate_limit(self, *, hold_ms: int) -> None:
        """Let nobody take jobs for a time; 0 forgets that, and what the window has counted."""
        await self._call("rate_limit", hold_ms)

    async def limits(self, *, max_jobs: int | None = None) -> QueueLimits:
        """Return the limits of the queue; `max_jobs` judges a window that it has none for."""
        paused, *numbers, wait_ms = await self._call("limits", "" if max_jobs is None else max_jobs)
        concurrency, limit_max, limit_ms = (None if n < 0 else n for n in numbers)
        return QueueLimits(bool(paused), concurrency, limit_max, limit_ms, wait_ms)
