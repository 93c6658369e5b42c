"""The scripts that find jobs which nobody runs any more, as methods of Scripts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from vqueue.flow_scripts import FlowScripts


class Swept(NamedTuple):
    """Reply of a sweep."""

    #: Of the next call, "" when all entries were looked at.
    cursor: str
    #: Jobs that went back to the line, and those that failed at the stalled limit.
    recovered: int
    failed: int
    #: Whether entries of the queue are to be looked for, see `Scripts.repair`.
    needs_repair: bool
    #: Whether parents are still to be told, see `Scripts.tell_parents`.
    has_untold: bool


class SweepScripts(FlowScripts):
    """Each is safe to repeat, and to run in several processes at once."""

    async def sweep(
        self, *, max_stalled: int, keep: str, dead_consumer: str = "", cursor: str = ""
    ) -> Swept:
        """Recover at most 100 stalled jobs, of some 1000 entries behind the cursor."""
        following, recovered, failed, repair, untold = await self._call(
            "sweep", max_stalled, keep, dead_consumer, cursor
        )
        return Swept(following.decode(), recovered, failed, bool(repair), bool(untold))

    async def sweep_all(self, *, max_stalled: int, keep: str, dead_consumer: str = "") -> Swept:
        """Recover all stalled jobs, and tell the parents that are left over, in steps."""
        recovered = failed = 0
        cursor = ""
        while True:
            swept = await self.sweep(
                max_stalled=max_stalled, keep=keep, dead_consumer=dead_consumer, cursor=cursor
            )
            recovered, failed = recovered + swept.recovered, failed + swept.failed
            cursor = swept.cursor
            if not cursor:
                break
        if swept.has_untold:
            await self.tell_parents()
        return swept._replace(recovered=recovered, failed=failed)

    async def repair(self) -> tuple[int, bool]:
        """Queue lost entries again; return (jobs, whether to call again)."""
        jobs, more = await self._call("repair")
        return jobs, bool(more)

    async def forget_consumers(self, *, stream: str, group: str, names: Sequence[str]) -> int:
        """Forget at most 250 consumers that hold nothing; return how many.

        `stream` is ready, express or ev. Sent once: who closes does not wait for it.
        """
        gone: int = await self._call("forget_consumers", stream, group, *names, repeat=False)
        return gone
