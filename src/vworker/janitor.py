"""The janitor: what a video that has failed for good leaves in S3, whoever saw it fail.

A handler cleans up after the failures that it sees. Nobody sees those of a video that lost its
workers too often, that was cancelled, or whose worker died while it cleaned up: their finished
segments would wait for a next attempt for ever. Any number of processes may run it; a key in Redis
lets one of them work per interval.
"""

from __future__ import annotations

import logging

from vqueue import Queue
from vworker.catalog import Catalog
from vworker.leftovers import fence_at, remove_leftovers
from vworker.storage import Storage

logger = logging.getLogger(__name__)

#: Seconds between two runs over the whole fleet.
INTERVAL = 60.0
_PAGE = 250


class Janitor:
    """A duty for `vqueue.duties.run_duty`."""

    def __init__(
        self, queue: Queue, catalog: Catalog, storage: Storage, *, interval: float = INTERVAL
    ) -> None:
        self.interval = interval
        self._queue = queue
        self._catalog = catalog
        self._storage = storage

    async def run_once(self) -> None:
        """Remove the output of failed videos that nobody has cleared. Safe to repeat."""
        if not await self._queue.claim_turn("janitor", seconds=self.interval * 0.9):
            return
        after: str | None = None
        while True:
            page = await self._catalog.uncleared(limit=_PAGE, after=after)
            for document in page:
                # One that was queued anew meanwhile has attempts with a larger fence.
                cleared = await remove_leftovers(
                    self._storage, document["_id"], before=fence_at(document["finished_at"])
                )
                if cleared:
                    await self._catalog.mark_cleared(document["_id"], document["version"])
            if len(page) < _PAGE:
                return
            after = page[-1]["_id"]
