"""The re-driver: an accepted video is never lost, whatever happens to Redis.

A video is in MongoDB before its job is in Redis. When the add was lost, or Redis itself,
the document stays unfinished and Redis does not know the job: then it is added again
under the same id. That is decided only while the mirror has caught up, so that a job
which has just finished is not taken for a lost one.

Any number of processes may run it; a key in Redis lets one of them work per interval.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from vqueue import Queue
from vqueue.mirror import MongoMirror
from vworker.catalog import Catalog
from vworker.contract import JOB_NAME, TranscodeRequest
from vworker.errors import InvalidPayload
from vworker.job_options import job_options

logger = logging.getLogger(__name__)

#: Seconds between two runs over the whole fleet.
INTERVAL = 15.0
#: Seconds that a video may be in MongoDB alone: its API is about to add the job.
_SETTLING = 10.0
_PAGE = 250


class Redriver:
    """A duty for `vqueue.duties.run_duty`."""

    def __init__(
        self,
        queue: Queue,
        catalog: Catalog,
        mirror: MongoMirror,
        *,
        interval: float = INTERVAL,
        settling: float = _SETTLING,
    ) -> None:
        self.interval = interval
        self._queue = queue
        self._catalog = catalog
        self._mirror = mirror
        self._settling = timedelta(seconds=settling)

    async def run_once(self) -> None:
        """Add the jobs of unfinished videos that Redis does not know. Safe to repeat."""
        if not await self._queue.claim_turn("redrive", seconds=self.interval * 0.9):
            return
        if not await self._mirror.caught_up():
            return
        older_than = datetime.now(UTC) - self._settling
        after: str | None = None
        while True:
            page = await self._catalog.unfinished(older_than=older_than, limit=_PAGE, after=after)
            await self._add_unknown(page)
            if len(page) < _PAGE:
                return
            after = page[-1]["_id"]

    async def _add_unknown(self, documents: list[dict[str, Any]]) -> None:
        jobs = await self._queue.get_jobs([document["_id"] for document in documents])
        for document, job in zip(documents, jobs, strict=True):
            if job is not None:
                continue
            video_id = document["_id"]
            try:
                request = TranscodeRequest(
                    video_id=video_id,
                    source=document.get("source", ""),
                    profile=document.get("profile"),
                )
            except InvalidPayload as error:
                logger.error("video %s cannot be queued again: %s", video_id, error)
                continue
            added = await self._queue.add(
                JOB_NAME, request.to_json(), job_id=video_id, **job_options()
            )
            if not added.is_duplicate:
                logger.warning(
                    "video %s was unfinished and unknown to Redis: queued again",
                    video_id,
                    extra={"action": "redrive", "job_id": video_id},
                )
