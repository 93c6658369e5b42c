"""vqueue: a job queue for asyncio on raw Redis Streams, with BullMQ's semantics."""

from vqueue.errors import (
    InvalidOption,
    JobNotActive,
    JobNotFound,
    JobNotInState,
    LeaseLost,
    QueueFull,
    QueueUnavailable,
    UnrecoverableError,
    VQueueError,
)
from vqueue.events import JobEvent, QueueEvents
from vqueue.job import Job, JobState
from vqueue.options import Backoff, JobOptions, Retention
from vqueue.producing import NewJob
from vqueue.queue import Queue
from vqueue.worker import Worker

__all__ = [
    "Backoff",
    "InvalidOption",
    "Job",
    "JobEvent",
    "JobNotActive",
    "JobNotFound",
    "JobNotInState",
    "JobOptions",
    "JobState",
    "LeaseLost",
    "NewJob",
    "Queue",
    "QueueEvents",
    "QueueFull",
    "QueueUnavailable",
    "Retention",
    "UnrecoverableError",
    "VQueueError",
    "Worker",
]
