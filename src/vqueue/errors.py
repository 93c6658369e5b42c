"""Errors of the queue library.

VQueueError
├── InvalidOption       a name, id or option that the queue refuses (also a ValueError)
├── PayloadUnreadable   stored data or a result that its serializer cannot read (a ValueError)
├── QueueUnavailable    Redis did not answer within the time a call may take
├── QueueFull           Redis is at maxmemory; running jobs go on, new ones are refused
├── QueueBusy           the queue has active jobs, and is not obliterated
├── NotDurable          jobs are added, and fewer copies confirmed than was asked for
├── LeaseLost           this activation no longer holds its job
├── GroupFull           a group's line has as many jobs as its max_size allows
├── TooManySubscribers  a durable subscriber beside 100 others of the queue
├── ParentMissing       children were to join a job that does not exist or has ended
├── JobNotActive        a call that only a running job may make
├── JobNotFound         the queue does not know the job (any more)
├── JobFailed           a job whose result was waited for has failed
├── JobNotInState       the job is not in a state in which that can be done to it
├── JobTimeout          an attempt took longer than its time-out; spent like any other
├── UnrecoverableError  raised by a handler: fail now, whatever attempts are left
│   └── JobExpired      the job was not started within its expires_in
└── JobParked           raised by a handler: not now; spends no attempt
    ├── DelayedError    … try again after some seconds
    ├── WaitingError    … back to the front of the line
    ├── WaitingChildrenError  … when the job's children have ended
    └── RateLimitError  … the same, and nobody takes a job for some seconds
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta


class VQueueError(Exception):
    """Base of every error that the library raises itself."""


class InvalidOption(VQueueError, ValueError):
    """A queue name, job id, option or payload that the queue refuses."""


class PayloadUnreadable(VQueueError, ValueError):
    """Data or a result whose serializer cannot read what is stored."""


class QueueUnavailable(VQueueError):
    """Redis could not be reached, or gave no answer, for as long as the call may take.

    The call may or may not have been carried out; every call is safe to repeat.
    """


class QueueFull(VQueueError):
    """Redis is at its maxmemory and refuses new data; nothing was written."""


class NotDurable(VQueueError):
    """Jobs are in the queue, and fewer copies of them are confirmed than was asked for.

    Repeat the add with the same `job_id`s to wait again: nothing is added twice.
    """

    def __init__(self, job_ids: Sequence[str], *, wanted: str, found: str) -> None:
        self.job_ids = tuple(job_ids)
        more = f" and {len(self.job_ids) - 1} more" if len(self.job_ids) > 1 else ""
        super().__init__(
            f"job {self.job_ids[0]}{more} added, and not {wanted}: {found}; they are in the queue, "
            "and a repeat with the same job_id waits again"
        )


class QueueBusy(VQueueError):
    """The queue has active jobs, and is not obliterated."""

    def __init__(self, name: str, *, active: int) -> None:
        #: How many there are.
        self.active = active
        super().__init__(
            f"obliteration of queue {name}: {active} jobs are active; close their workers first, "
            "or take the jobs away from them with force=True"
        )


class LeaseLost(VQueueError):
    """The activation no longer holds its job: another worker has it, or it ended.

    A late call of a superseded handler gets this error, and the handler is cancelled.
    Do not retry the call; whatever the handler still does must not be published.
    """

    def __init__(self, job_id: str, *, fence: int, consumer: str) -> None:
        self.job_id = job_id
        self.fence = fence
        self.consumer = consumer
        super().__init__(
            f"job {job_id} is not running under consumer {consumer} with fence {fence}: "
            "its lease is lost, another worker may hold the job"
        )


class GroupFull(VQueueError):
    """The line of a job's group has as many jobs as its `max_size` allows; it was not added.

    Of the jobs that were added in the same call the others are there.
    """

    def __init__(self, job_ids: Sequence[str]) -> None:
        #: The jobs that were not added.
        self.job_ids = tuple(job_ids)
        super().__init__(
            f"{len(self.job_ids)} jobs not added, {self.job_ids[0]} the first: the line of the "
            "group is at its max_size; add them when jobs of the group have been taken"
        )


class TooManySubscribers(VQueueError):
    """A durable subscriber group is new, and the queue has 100 others; it was not made."""

    def __init__(self, group: str, *, queue: str) -> None:
        #: The group that was not made.
        self.group = group
        super().__init__(
            f"subscription {group!r} to the events of queue {queue!r}: the queue has 100 durable "
            "subscribers, the most there may be; remove those that nobody reads any more "
            "(DurableEvents.remove), or use QueueEvents"
        )


class ParentMissing(VQueueError):
    """Children were to join a parent that does not exist or has ended; nothing was added."""


class JobNotActive(VQueueError):
    """Progress, log lines and results are taken only from a running job's handler."""


class JobNotFound(VQueueError):
    """The queue does not know the job: it was never added, or is removed."""

    def __init__(self, job_id: str, *, attempted: str) -> None:
        self.job_id = job_id
        super().__init__(
            f"{attempted} of job {job_id}: the queue has no such job; it was never added, or "
            "was removed by hand or by retention"
        )


class JobFailed(VQueueError):
    """The job whose result was waited for has failed for good."""

    def __init__(self, job_id: str, *, reason: str) -> None:
        self.job_id = job_id
        #: The job's failed_reason.
        self.reason = reason
        super().__init__(f"job {job_id} has failed: {reason}")


class JobNotInState(VQueueError):
    """The job is not in a state in which that can be done to it; nothing was changed."""

    def __init__(self, job_id: str, *, state: str, attempted: str, needed: str) -> None:
        self.job_id = job_id
        #: Where the job is.
        self.state = state
        super().__init__(f"{attempted} of job {job_id}: it is {state}, and must be {needed}")


class JobTimeout(VQueueError):
    """The handler took longer than the `timeout` of the job or the worker, and was cancelled.

    The reason of the failed attempt; another one follows when there are attempts left.
    """

    def __init__(self, job_id: str, *, seconds: float) -> None:
        self.job_id = job_id
        self.seconds = seconds
        super().__init__(f"timeout: job {job_id} did not end within {seconds:g} s")


class UnrecoverableError(VQueueError):
    """Raise it in a handler to fail the job now, whatever attempts are left."""


class JobExpired(UnrecoverableError):
    """Why a job has failed that was not started within its `expires_in`."""


class JobParked(VQueueError):
    """Base of what a handler raises to put its job back without an attempt spent.

    The job is put back when the handler has ended. `attempts_started` counts the start, so a
    worker's `max_started_attempts` bounds how often a job may do this.
    """


class DelayedError(JobParked):
    """Raise it in a handler to have the job run again after `seconds`, with its priority.

    `job.move_to_delayed` raises it too.
    """

    def __init__(self, seconds: float | timedelta) -> None:
        self.seconds = seconds
        super().__init__(f"the job is to run again after {seconds}")


class WaitingError(JobParked):
    """Raise it in a handler to put the job back to the front of its priority.

    `job.move_to_wait` raises it too.
    """


class RateLimitError(JobParked):
    """Raise it in a handler to put the job back to the front of its priority and keep every
    worker of the queue from taking jobs for `seconds`.

    Without `seconds` the job is only put back: for a handler that has called
    `Worker.rate_limit` or `Queue.rate_limit` itself.
    """

    def __init__(self, seconds: float | timedelta | None = None) -> None:
        self.seconds = seconds
        super().__init__("the job is put back because of a rate limit")


class WaitingChildrenError(JobParked):
    """Raise it in a handler to have the job run again when its children have ended.

    When none is left it runs again at once. `job.move_to_waiting_children` raises it too.
    """
