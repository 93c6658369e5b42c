"""The scripts that remove many jobs, as methods of Scripts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from vqueue.script_calls import ScriptCalls


class Cleaned(NamedTuple):
    """Reply of a clean."""

    #: Of the next page, "" when there is none.
    cursor: str
    #: What counted as old, in ms.
    before: str
    #: Of the jobs that are gone, or would go.
    ids: list[str]


class Obliterated(NamedTuple):
    """Reply of an obliterate."""

    #: 0: done. The number of active jobs, which are in the way; or -1: first `tell_parents`.
    obstacle: int
    #: The ms that begins the queue as it is now, when it was done.
    began: int


class CleanScripts(ScriptCalls):
    """Each is safe to repeat."""

    async def clean(
        self, *, state: str, before: str, limit: int, cursor: str, is_told: bool
    ) -> Cleaned:
        """Remove the old jobs of a page; `before` is ms, or '' for now."""
        return await self._clean(state, before, limit, cursor, int(is_told))

    async def find_cleanable(self, *, state: str, before: str, limit: int, cursor: str) -> Cleaned:
        """Return what `clean` would remove of a page, and leave it."""
        return await self._clean(state, before, limit, cursor, "look")

    async def clean_jobs(self, *, state: str, before: str, ids: Sequence[str]) -> Cleaned:
        """Remove those of at most 100 jobs that are old and in the state still."""
        return await self._clean(state, before, 0, "", 0, *ids)

    async def _clean(self, *args: str | int) -> Cleaned:
        reply = await self._call("clean", *args)
        return Cleaned(reply[0].decode(), str(reply[1]), [i.decode() for i in reply[2:]])

    async def obliterate(self, *, force: bool) -> Obliterated:
        """Remove all jobs at once, or tell what is in the way."""
        return Obliterated(*await self._call("obliterate", int(force)))

    async def obliterate_end(self, *, began: int) -> None:
        """Say that the keys of the queue before this ms are gone."""
        await self._call("obliterate_end", began)

    async def sweep_orphans(self, *, names: Sequence[str]) -> int:
        """Unlink those of at most 50 keys (without prefix) that belong to nothing.

        Returns how many of them were jobs; `tell_parents` is to follow.
        """
        orphans: int = await self._call("sweep_orphans", *names)
        return orphans

    async def retain(self, *, completed: str, failed: str) -> int:
        """Apply keep rules to the completed and the failed jobs; return how many went."""
        removed: int = await self._call("retain", completed, failed)
        return removed
