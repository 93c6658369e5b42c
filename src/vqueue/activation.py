"""One activation: a job held by this worker, from its take to its settlement."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from vqueue.codec import encode
from vqueue.errors import LeaseLost
from vqueue.job import job_from_taken
from vqueue.record import Settlement, TakenJob, fence_of, settlement

if TYPE_CHECKING:
    from vqueue.outcome import Outcome
    from vqueue.reports import Reports


class Activation:
    """What a worker keeps of a job that it runs. It is the job's Reporter."""

    #: Set once another worker may hold the job; never cleared.
    lost = False
    #: Set once the worker closes before the handler has ended.
    handing_back = False
    #: The last progress that was reported (JSON), b"" for none.
    last_progress = b""
    #: The same while it has not been sent yet.
    pending_progress: bytes | None = None
    lines_logged = 0
    #: Set once the finish call has what there is to say; nothing is reported after it.
    settled = False
    task: asyncio.Task[None] | None = None

    def __init__(
        self,
        taken: TakenJob,
        *,
        queue_name: str,
        consumer: str,
        started_ms: int,
        reports: Reports,
    ) -> None:
        self._taken = taken
        self.token = taken.token
        self.consumer = consumer
        #: The server's clock at the take, handed back when the job is finished.
        self.started_ms = started_ms
        self.reports = reports
        self.job = job_from_taken(
            taken,
            queue_name=queue_name,
            consumer=consumer,
            now_ms=started_ms,
            reporter=self,
        )
        self.job_id = self.job.id

    def settle(self, outcome: Outcome) -> Settlement:
        """Return how finish.lua is to settle the job; nothing is reported after it."""
        self.settled = True
        return settlement(
            self._taken,
            outcome,
            consumer=self.consumer.encode(),
            started_ms=self.started_ms,
            progress=self.last_progress,
            unsent=self.pending_progress or b"",
        )

    def lose(self) -> None:
        """Note that the lease is gone and cancel the handler. Safe to repeat."""
        if self.lost:
            return
        self.lost = True
        if self.task is not None:
            self.task.cancel(f"lease of job {self.job_id} lost")

    def hand_back(self) -> None:
        """Cancel the handler; its job goes back to the line. Safe to repeat."""
        if self.lost or self.handing_back:
            return
        self.handing_back = True
        if self.task is not None:
            self.task.cancel("worker is closing")

    def lease_lost(self) -> LeaseLost:
        """Return the error that a late call gets."""
        return LeaseLost(self.job_id, fence=fence_of(self.token), consumer=self.consumer)

    async def update_progress(self, value: Any) -> None:
        """See Job.update_progress."""
        if self.lost:
            raise self.lease_lost()
        self.last_progress = encode(value, what=f"progress of job {self.job_id}")
        self.pending_progress = self.last_progress
        self.reports.progress_changed(self)

    async def log(self, line: str) -> None:
        """See Job.log."""
        if self.lost:
            raise self.lease_lost()
        self.lines_logged += 1
        await self.reports.log(self, self.lines_logged, line)
