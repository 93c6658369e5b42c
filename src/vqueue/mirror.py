"""MongoMirror: every job's state, durably, as one document per job in MongoDB.

Model. The event stream only says which jobs to look at. For a batch of events the mirror
reads the jobs as they are now (one snapshot script) and writes one guarded update each,
so floods of progress collapse and the last state wins. Later events that a document
already shows, as in a backlog, cost no look. A final event carries the result, for jobs
that retention has removed meanwhile.

Invariants. A document's version only grows (documents.py). An entry is acknowledged after
its documents are written. The document of a job that was removed by hand stays as it was,
with `removed_at`, until its id is added again.

Failures. Any number of processes share the work (subscription.py). Missing events leave a
gap, until some process has walked all jobs of the queue and written them. While MongoDB is
away nothing is acknowledged and memory holds one batch.

Does not own: what a document looks like (`project`), and documents of jobs that Redis has
forgotten (whoever inserted those decides what becomes of them): no event tells of what was lost
with a server, and none that was trimmed marks a removal.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from pymongo.errors import PyMongoError

from vqueue.bygone import NO_EVENTS, LastEvents, job_from_event
from vqueue.connection import BLOCK_MARGIN, is_transient, open_client
from vqueue.documents import Collection, Documents, JobDocument, passes
from vqueue.errors import QueueUnavailable
from vqueue.job import Job
from vqueue.job_events import expand, version_of
from vqueue.job_reading import job_from_snapshot
from vqueue.keys import QueueKeys
from vqueue.record import Snapshot
from vqueue.scripts import MAX_BATCH, Scripts
from vqueue.sources import RedisSource
from vqueue.states import FINAL_STATES, JobState
from vqueue.subscription import BLOCK, Entry, Subscription
from vqueue.walk import all_job_ids

logger = logging.getLogger(__name__)

#: Fields to set in a job's document; `_id`, `version` and `created_at` are the mirror's own.
Projection = Callable[[Job], Mapping[str, Any]]

#: Parts of a batch under way: MongoDB writes one while the next one is read.
_ABREAST = 2
#: Seconds that events gather after the first one of a quiet time, about.
_GATHER = 0.1
#: Seconds between two looks for what processes that are gone had read, about.
_CLAIM_INTERVAL = 15.0
#: Seconds until the next try: doubles, up to the longest of its kind.
_FIRST_PAUSE, _OUTAGE_PAUSE, _LONGEST_PAUSE = 0.1, 2.0, 30.0

STATUS_OF_STATE = {
    JobState.WAITING: "queued",
    JobState.PRIORITIZED: "queued",
    JobState.DELAYED: "queued",
    JobState.WAITING_CHILDREN: "queued",
    JobState.ACTIVE: "processing",
    JobState.COMPLETED: "completed",
    JobState.FAILED: "failed",
}


def to_datetime(seconds: float | None) -> datetime | None:
    """Convert seconds since the epoch to an aware UTC datetime."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def project_job(job: Job) -> dict[str, Any]:
    """Project a job of any kind: the default of MongoMirror.

    A job that retention has removed is known by its final event alone: its `name` is
    empty, and what was added stays in the document as it was.
    """
    fields: dict[str, Any] = {
        "queue": job.queue_name,
        "status": STATUS_OF_STATE[job.state],
        "attempts_made": job.attempts_made,
        "attempts_started": job.attempts_started,
        "returnvalue": job.returnvalue,
        "failed_reason": job.failed_reason,
        "started_at": to_datetime(job.processed_on),
        "finished_at": to_datetime(job.finished_on),
    }
    if job.name:
        fields["name"] = job.name
        fields["data"] = job.data
        fields["progress"] = job.progress
    return fields


class MongoMirror:
    """Keeps `collection` equal to the queue; run it in every process that can.

    `collection` is motor's; its documents get the fields of `project`, `version`, and
    `created_at` when they have none; `removed_at` when the job was removed by hand, or by
    `clean` or `drain`, and not by retention. A document without a version is left alone.
    """

    def __init__(
        self,
        name: str,
        redis: RedisSource,
        collection: Collection,
        *,
        project: Projection = project_job,
        group: str = "mirror",
        prefix: str = "vq",
    ) -> None:
        self.name = name
        self.keys = QueueKeys(name, prefix)
        self._documents = Documents(collection)
        self._project = project
        self._client = open_client(
            redis, key=self.keys.ev, reply_timeout=BLOCK + BLOCK_MARGIN, blocking=True
        )
        self._scripts = Scripts(self._client, self.keys)
        self._subscription = Subscription(self._client, self._scripts, self.keys, group=group)
        #: Entries that a lost reply or an error left with this consumer.
        self._own_pending = False
        self._abreast = asyncio.Semaphore(_ABREAST)
        self._claim_at = 0.0

    async def run(self) -> None:
        """Mirror until cancelled; outages of Redis and MongoDB are waited out.

        An error that waiting does not mend is logged with its traceback and tried again,
        more and more seldom: jobs go on without their mirror.
        """
        pause = _FIRST_PAUSE
        try:
            while True:
                try:
                    await self._step()
                    pause = _FIRST_PAUSE
                except Exception as error:
                    self._own_pending = True
                    if _passes(error):
                        pause = min(pause, _OUTAGE_PAUSE)
                        logger.warning("mirror of %s waits: %s", self.name, error)
                    else:
                        logger.exception("mirror of %s failed", self.name)
                    await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311
                    pause = min(pause * 2, _LONGEST_PAUSE)
        finally:
            await self._subscription.leave()
            await self._client.aclose()

    async def caught_up(self) -> bool:
        """Tell whether every event so far is in MongoDB, and none was missed."""
        return await self._subscription.is_done()

    async def _step(self) -> None:
        subscription = self._subscription
        if self._own_pending:
            async for entries in subscription.unacknowledged():
                await self._apply(entries)
            self._own_pending = False
        loop = asyncio.get_running_loop()
        if loop.time() >= self._claim_at:
            async for entries in subscription.abandoned():
                await self._apply(entries)
            self._claim_at = loop.time() + _CLAIM_INTERVAL * random.uniform(0.75, 1.25)  # noqa: S311
        gap, end, new_entries = await subscription.read()
        await self._apply(new_entries)
        if gap and await subscription.lock_resync():
            await self._resync(gap)
        elif not new_entries and await subscription.wait(end):
            # Events seldom come alone, and every process wakes for every burst: a moment
            # longer bounds what that costs.
            await asyncio.sleep(_GATHER * random.uniform(0.5, 1.5))  # noqa: S311

    # -- writing -----------------------------------------------------------------------

    async def _apply(self, entries: Sequence[Entry]) -> None:
        """Write the jobs that these entries name, then acknowledge the entries."""
        last_events: dict[str, LastEvents] = {}
        job_ids: dict[str, None] = {}
        for entry_id, fields in entries:
            version = version_of(*map(int, entry_id.split(b"-")))
            for raw_id in fields[4::2]:
                job_id = raw_id.decode()
                if job_id and not self._documents.has(job_id, version):
                    job_ids[job_id] = None
            kind = fields[1].decode()
            if kind == "removed" or kind in FINAL_STATES:
                for event in expand(entry_id, fields):
                    last = last_events.get(event.job_id, NO_EVENTS)
                    last_events[event.job_id] = last.followed_by(event)
        ids = list(job_ids)
        try:
            async with asyncio.TaskGroup() as group:
                for start in range(0, len(ids), MAX_BATCH):
                    part = ids[start : start + MAX_BATCH]
                    group.create_task(self._write_jobs(part, last_events))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from failed  # all of the entries are done again
        await self._subscription.acknowledge(entries)

    async def _write_jobs(
        self, job_ids: Sequence[str], last_events: Mapping[str, LastEvents]
    ) -> None:
        async with self._abreast:
            snapshots = await self._scripts.snapshot(ids=job_ids)
            version = version_of(*snapshots.version)
            documents = []
            for job_id, snapshot in zip(job_ids, snapshots.jobs, strict=True):
                job = self._read_job(job_id, snapshot)
                if job is not None:
                    documents.append(self._document(job, version))
                elif job_id in last_events:
                    documents.append(self._last_document(job_id, last_events[job_id]))
            await self._write(documents)

    def _read_job(self, job_id: str, snapshot: Snapshot | None) -> Job | None:
        """Build a job; None for one that is gone, or whose producer wrote no JSON."""
        if snapshot is None:
            return None
        try:
            return job_from_snapshot(job_id, snapshot, queue_name=self.name)
        except ValueError as error:
            logger.error(
                "mirror of %s: job %s cannot be read (%s): only its end will be written",
                self.name,
                job_id,
                error,
                extra={"action": "job_unreadable", "job_id": job_id},
            )
            return None

    def _document(self, job: Job, version: int) -> JobDocument:
        return JobDocument(
            job_id=job.id,
            version=version,
            fields=self._project(job),
            created_at=to_datetime(job.timestamp or job.finished_on),
        )

    def _last_document(self, job_id: str, last: LastEvents) -> JobDocument:
        """What the last events tell of a job that is gone."""
        written = JobDocument(job_id=job_id, version=0, fields={}, created_at=None)
        if last.ended is not None:
            job = job_from_event(last.ended, self.name)
            written = self._document(job, last.ended.version)
        if last.removed is None:
            return written
        removed_at = to_datetime(last.removed.timestamp)
        return replace(written, version=last.removed.version, removed_at=removed_at)

    async def _write(self, documents: Sequence[JobDocument]) -> None:
        await self._documents.write(documents)

    # -- resynchronising ---------------------------------------------------------------

    async def _resync(self, gap: str) -> None:
        """Write every job of the queue. Safe beside live events, because of the guard."""
        logger.info("mirror of %s reads all jobs: it lacks events before %s", self.name, gap)
        count = 0
        async for ids in all_job_ids(self._client, self.keys):
            for start in range(0, len(ids), MAX_BATCH):
                await self._write_jobs(ids[start : start + MAX_BATCH], {})
            count += len(ids)
            await self._subscription.lock_resync()
        await self._subscription.close_gap(gap)
        logger.info("mirror of %s: %d jobs read again", self.name, count)


def _passes(error: Exception) -> bool:
    """Tell whether waiting helps: the other side is away, failing over or overloaded."""
    if isinstance(error, PyMongoError):
        return passes(error)
    return isinstance(error, QueueUnavailable) or is_transient(error)
