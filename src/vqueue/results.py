"""Results: waiting for the end of a job, without asking again and again.

Model. All callers of a queue share one reader of its events, which runs while somebody waits. A
caller subscribes first and looks at the job then, so no end falls between the two. Where events
are missing, all jobs that are waited for are looked at again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from vqueue.connection import Client, is_transient
from vqueue.errors import JobFailed, JobNotFound, QueueUnavailable
from vqueue.events import QueueEvents
from vqueue.job import Job
from vqueue.job_events import GAP, OBLITERATED, JobEvent, expand
from vqueue.job_reading import job_from_snapshot
from vqueue.keys import check_name
from vqueue.queue_base import QueueBase
from vqueue.record import Snapshot
from vqueue.scripts import MAX_BATCH, Scripts
from vqueue.states import JobState

logger = logging.getLogger(__name__)

#: Entries of one look for the event of a job that is gone.
_PAGE = 100


def _not_found(job_id: str) -> JobNotFound:
    return JobNotFound(job_id, attempted="waiting for the result")


class _Ends:
    """The ends of jobs, for those who wait for them."""

    def __init__(self, events: QueueEvents, client: Client, scripts: Scripts) -> None:
        self._name = events.name
        self._events = events
        self._client = client
        self._scripts = scripts
        self._waiting: dict[str, list[asyncio.Future[Any]]] = {}
        self._reader: asyncio.Task[None] | None = None
        self._subscribing = asyncio.Lock()

    async def of(self, job_id: str) -> Any:
        """Return a job's result once it has ended; see Queue.result."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(job_id, []).append(future)
        try:
            await self._subscribe()
            await self._look([job_id])
            return await future
        finally:
            futures = self._waiting[job_id]
            futures.remove(future)
            if not futures:
                del self._waiting[job_id]
            if not future.cancel() and not future.cancelled():
                future.exception()  # seen, also when the look has failed before

    async def close(self) -> None:
        """End the reader; those who still wait are cancelled. Safe to repeat."""
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.wait([self._reader])
        for futures in self._waiting.values():
            for future in futures:
                future.cancel()
        await self._events.close()

    async def _subscribe(self) -> None:
        async with self._subscribing:
            if self._reader is not None and not self._reader.done():
                return
            await self._events.seek_end()
            self._reader = asyncio.create_task(self._read(), name=f"vqueue-results-{self._name}")

    async def _read(self) -> None:
        """Read events while somebody waits."""
        try:
            async for event in self._events:
                if event.name in (GAP, OBLITERATED):
                    await self._look(list(self._waiting))
                elif event.job_id in self._waiting:
                    self._tell(event)
                if not self._waiting:
                    return
        except Exception as error:
            logger.exception("results of %s cannot be waited for", self._name)
            for job_id in self._waiting:
                self._end(job_id, error=error)

    async def _look(self, job_ids: Sequence[str]) -> None:
        """End the waiting for those that have ended already."""
        for start in range(0, len(job_ids), MAX_BATCH):
            ids = job_ids[start : start + MAX_BATCH]
            snapshots = await self._scripts.snapshot(ids=ids)
            for job_id, snapshot in zip(ids, snapshots.jobs, strict=True):
                if snapshot is None:
                    await self._look_for_event(job_id)
                else:
                    self._tell_state(job_from_snapshot(job_id, snapshot, queue_name=self._name))

    async def _look_for_event(self, job_id: str) -> None:
        """Find the end of a job that retention has removed, in the events that are kept."""
        keys = self._events.keys
        activation: bytes | None = await self._client.execute("GET", keys.tombstone(job_id))
        # the token of an activation is an id of the queue's clock, and events come after it
        start = (activation or b"").partition(b":")[0].removeprefix(b"x")
        while start:
            entries = await self._client.execute("XRANGE", keys.ev, start, "+", "COUNT", _PAGE)
            for entry_id, fields in entries:
                if fields[1] in (b"completed", b"failed") and job_id.encode() in fields[4::2]:
                    for event in expand(entry_id, fields):
                        if event.job_id == job_id:
                            self._tell(event)
                            return
            start = b"(" + entries[-1][0] if len(entries) == _PAGE else b""
        self._end(job_id, error=_not_found(job_id))

    def _tell_state(self, job: Job) -> None:
        if job.state is JobState.COMPLETED:
            self._end(job.id, result=job.returnvalue)
        elif job.state is JobState.FAILED:
            self._end(job.id, error=JobFailed(job.id, reason=str(job.failed_reason)))

    def _tell(self, event: JobEvent) -> None:
        if event.name == "completed":
            self._end(event.job_id, result=event.data["returnvalue"])
        elif event.name == "failed":
            reason = str(event.data["failed_reason"])
            self._end(event.job_id, error=JobFailed(event.job_id, reason=reason))
        elif event.name == "removed":
            self._end(event.job_id, error=_not_found(event.job_id))

    def _end(self, job_id: str, *, result: Any = None, error: Exception | None = None) -> None:
        for future in self._waiting.get(job_id, ()):
            if future.done():
                continue
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)


class Results(QueueBase):
    """The part of Queue that waits for results."""

    _ends: _Ends | None = None

    def _job_from(self, job_id: str, snapshot: Snapshot) -> Job:
        return job_from_snapshot(job_id, snapshot, queue_name=self.name, queue=self)

    async def result(self, job_id: str, *, timeout: float | None = None) -> Any:
        """Wait until a job has ended and return what its handler returned.

        Costs no polling: any number of callers share one reader of events. A job that
        retention has removed is found for ten minutes, as long as its event is kept. Safe to
        repeat and to cancel. Raises JobFailed when the job has failed for good, JobNotFound when
        the queue does not know it or it is removed, TimeoutError after `timeout` seconds,
        QueueUnavailable.
        """
        check_name(job_id, what="job id")
        if self._ends is None:
            events = QueueEvents(self.name, self._redis, prefix=self._prefix)
            self._ends = _Ends(events, self._client, self._scripts)
        try:
            async with asyncio.timeout(timeout) as limit:
                return await self._ends.of(job_id)
        except Exception as error:
            if limit.expired():
                raise TimeoutError(
                    f"job {job_id} has not ended within {timeout} s; wait again, or look at it "
                    "with get_job"
                ) from None
            if not is_transient(error):
                raise
            raise QueueUnavailable(
                f"waiting for the result of job {job_id}: Redis gave no answer "
                f"({type(error).__name__}: {error}); wait again"
            ) from error

    async def close(self) -> None:
        """Close the connections; who still waits for a result is cancelled. Safe to repeat."""
        if self._ends is not None:
            await self._ends.close()
        await super().close()
