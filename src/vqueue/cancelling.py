"""Cancelling: the part of Queue that ends jobs on somebody's wish, running ones too."""

from __future__ import annotations

from enum import StrEnum

from vqueue.codec import encode
from vqueue.keys import check_name
from vqueue.outcome import REASON_LIMIT
from vqueue.queue_base import QueueBase


class Cancellation(StrEnum):
    """What `Queue.cancel` has done."""

    #: The job had not started; it is failed now.
    CANCELLED = "cancelled"
    #: The job runs; its worker is told with its next heartbeat.
    REQUESTED = "requested"
    #: The job had completed or failed before; nothing was done.
    ENDED = "ended"
    #: The queue has no such job.
    UNKNOWN = "unknown"


class Cancelling(QueueBase):
    """Cancels jobs from any process."""

    async def cancel(self, job_id: str, *, reason: str = "") -> Cancellation:
        """End a job: it fails with the reason ``cancelled``, or ``cancelled: <reason>``, and
        has no more attempts.

        The handler of a running job is cancelled within one heartbeat of its worker (at most
        a second); what it returns before that stands, and the job has completed. A worker
        that hands the job back, or dies, changes nothing: it fails then. Safe to repeat.
        """
        text = f"cancelled: {reason}" if reason else "cancelled"
        reply = await self._scripts.cancel(
            job_id=check_name(job_id, what="job id"),
            reason=encode(text[:REASON_LIMIT], "reason of a cancellation"),
        )
        await self._scripts.tell_parents()
        if reply is None:
            return Cancellation.UNKNOWN
        if reply == 1:
            return Cancellation.CANCELLED
        return Cancellation.REQUESTED if reply == "active" else Cancellation.ENDED
