"""One activation: a job held by this worker, from its take to its settlement."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vqueue.codec import decode, encode
from vqueue.errors import LeaseLost
from vqueue.job_reading import job_from_taken
from vqueue.record import Settlement, TakenJob, fence_of, settlement

if TYPE_CHECKING:
    from vqueue.flow_scripts import Dependency
    from vqueue.outcome import Outcome
    from vqueue.reports import Reports


@dataclass(frozen=True, slots=True)
class Take:
    """What the jobs of one take have in common."""

    queue_name: str
    consumer: str
    #: The server's clock in ms.
    taken_ms: int
    #: The local monotonic clock in seconds when the worker asked for them.
    since: float
    reports: Reports


class Activation:
    """What a worker keeps of a job that it runs. It is the job's Reporter."""

    #: Set once another worker may hold the job; never cleared.
    lost = False
    #: Set once the worker closes before the handler has ended.
    handing_back = False
    #: Why somebody has cancelled the job (JSON).
    cancel_reason: bytes | None = None
    #: Set with each of these three: the handler is to end, and is not judged by how it ends.
    interrupted = False
    #: The last progress that was reported (JSON), b"" for none.
    last_progress = b""
    #: The same while it has not been sent yet.
    pending_progress: bytes | None = None
    lines_logged = 0
    partials_sent = 0
    #: Set once the finish call has what there is to say; nothing is reported after it.
    settled = False
    #: Where the handler runs, while it does.
    task: asyncio.Task[Any] | None = None
    #: Whether that task was cancelled for this job.
    cancelled = False

    def __init__(self, taken: TakenJob, take: Take) -> None:
        self.token = taken.token
        self._taken = taken
        self._take = take
        #: The second is what is wrong with the payload, None for nothing.
        self.job, self.payload_error = job_from_taken(
            taken, take.queue_name, take.consumer, take.taken_ms
        )
        self.job._reporter = self

    @property
    def started_ms(self) -> int:
        """When the job was taken, by the server's clock."""
        return self._take.taken_ms

    @property
    def job_id(self) -> str:
        """The job's id."""
        return self.job.id

    def ran_for(self) -> float:
        """Seconds since the worker asked for the job."""
        return time.monotonic() - self._take.since

    def waited_for(self) -> float | None:
        """Seconds that the job had stood in line when it was taken; None when nobody knows."""
        if not self.token.startswith(b"x"):
            # an entry of `ready` is made when the job comes into the line
            return (self._take.taken_ms - int(self.token.partition(b"-")[0])) / 1000
        if self.job.attempts_started == 1 and self.job.timestamp is not None:
            return self._take.taken_ms / 1000 - self.job.timestamp
        return None

    def settle(self, outcome: Outcome) -> Settlement:
        """Return how finish.lua is to settle the job; nothing is reported after it."""
        self.settled = True
        # the two would keep each other alive until the collector finds them
        self.job._reporter = None
        if self.last_progress:
            self._take.reports.forget(self)
        return settlement(
            self._taken,
            outcome,
            consumer=self._take.consumer,
            started_ms=self._take.taken_ms,
            progress=self.last_progress,
            unsent=self.pending_progress or b"",
        )

    def lose(self) -> None:
        """Note that the lease is gone and cancel the handler. Safe to repeat."""
        if self.lost:
            return
        self.lost = True
        self._cancel(f"lease of job {self.job_id} lost")

    def hand_back(self) -> None:
        """Cancel the handler; its job goes back to the line. Safe to repeat."""
        if self.lost or self.handing_back:
            return
        self.handing_back = True
        self._cancel("worker is closing")

    def cancel(self, reason: bytes) -> None:
        """Cancel the handler; the job fails with the reason (JSON). Safe to repeat."""
        if self.interrupted:
            return
        self.cancel_reason = reason
        self._cancel(str(decode(reason)))

    def _cancel(self, why: str) -> None:
        self.interrupted = True
        if self.task is not None and not self.cancelled:
            self.cancelled = True
            self.task.cancel(why)

    def lease_lost(self) -> LeaseLost:
        """Return the error that a late call gets."""
        return LeaseLost(self.job_id, fence=fence_of(self.token), consumer=self._take.consumer)

    async def update_progress(self, value: Any) -> None:
        """See Job.update_progress."""
        if self.lost:
            raise self.lease_lost()
        self.last_progress = encode(value, "progress of job %s", self.job_id)
        self.pending_progress = self.last_progress
        self._take.reports.progress_changed(self)

    async def update_data(self, data: Any) -> None:
        """See Job.update_data."""
        if self.lost:
            raise self.lease_lost()
        await self._take.reports.update_data(self, data)

    async def children(self, kind: Dependency) -> Mapping[str, bytes]:
        """See Reporter.children."""
        return await self._take.reports.children(self.job_id, kind)

    async def log(self, line: str) -> None:
        """See Job.log."""
        if self.lost:
            raise self.lease_lost()
        self.lines_logged += 1
        await self._take.reports.log(self, self.lines_logged, line)

    async def send_partial(self, value: Any) -> None:
        """See Job.send_partial."""
        if self.lost:
            raise self.lease_lost()
        await self._take.reports.send_partial(self, value)
