"""vqueue: a job queue for asyncio on raw Redis Streams, with BullMQ's semantics."""

from vqueue.attempt import Handler
from vqueue.backoff import Backoff
from vqueue.batches import in_batches
from vqueue.cancelling import Cancellation
from vqueue.child import ProcessJob
from vqueue.deduplication import Deduplication
from vqueue.describing import MemoryReport, QueueMeta
from vqueue.doctor import Finding, Verdict
from vqueue.durability import Durability
from vqueue.durable import DurableEvents, EventBatch
from vqueue.errors import (
    DelayedError,
    GroupFull,
    InvalidOption,
    JobExpired,
    JobFailed,
    JobNotActive,
    JobNotFound,
    JobNotInState,
    JobParked,
    JobTimeout,
    LeaseLost,
    NotDurable,
    ParentMissing,
    PayloadUnreadable,
    QueueBusy,
    QueueFull,
    QueueUnavailable,
    RateLimitError,
    TooManySubscribers,
    UnrecoverableError,
    VQueueError,
    WaitingChildrenError,
    WaitingError,
)
from vqueue.events import QueueEvents
from vqueue.explaining import Explanation, Hindrance
from vqueue.flow_scripts import Dependency
from vqueue.flows import FlowJob, FlowNode, FlowProducer, chain, chord, group
from vqueue.groups import Group, GroupStatus
from vqueue.inspecting import JobPage
from vqueue.job import Job
from vqueue.job_events import JobEvent
from vqueue.latency import Latency
from vqueue.manual import HeldJob, ManualWorker
from vqueue.metrics import Latencies, Metrics
from vqueue.middleware import Middleware
from vqueue.options import JobOptions, RateLimit, Retention
from vqueue.parenting import DependencyPage
from vqueue.partials import PartialResult, PartialResults
from vqueue.presence import WorkerInfo
from vqueue.processes import HandlerDied, HandlerFailed, ProcessHandler, in_processes
from vqueue.producing import NewJob
from vqueue.queue import Queue
from vqueue.repeat import JobScheduler, Repeat
from vqueue.serializing import Serializer, register_serializer
from vqueue.stall import Stall
from vqueue.states import JobState
from vqueue.threads import BlockingJob, in_threads
from vqueue.worker import Worker

__all__ = [
    "Backoff",
    "BlockingJob",
    "Cancellation",
    "Deduplication",
    "DelayedError",
    "Dependency",
    "DependencyPage",
    "Durability",
    "DurableEvents",
    "EventBatch",
    "Explanation",
    "Finding",
    "FlowJob",
    "FlowNode",
    "FlowProducer",
    "Group",
    "GroupFull",
    "GroupStatus",
    "Handler",
    "HandlerDied",
    "HandlerFailed",
    "HeldJob",
    "Hindrance",
    "InvalidOption",
    "Job",
    "JobEvent",
    "JobExpired",
    "JobFailed",
    "JobNotActive",
    "JobNotFound",
    "JobNotInState",
    "JobOptions",
    "JobPage",
    "JobParked",
    "JobScheduler",
    "JobState",
    "JobTimeout",
    "Latencies",
    "Latency",
    "LeaseLost",
    "ManualWorker",
    "MemoryReport",
    "Metrics",
    "Middleware",
    "NewJob",
    "NotDurable",
    "ParentMissing",
    "PartialResult",
    "PartialResults",
    "PayloadUnreadable",
    "ProcessHandler",
    "ProcessJob",
    "Queue",
    "QueueBusy",
    "QueueEvents",
    "QueueFull",
    "QueueMeta",
    "QueueUnavailable",
    "RateLimit",
    "RateLimitError",
    "Repeat",
    "Retention",
    "Serializer",
    "Stall",
    "TooManySubscribers",
    "UnrecoverableError",
    "VQueueError",
    "Verdict",
    "WaitingChildrenError",
    "WaitingError",
    "Worker",
    "WorkerInfo",
    "chain",
    "chord",
    "group",
    "in_batches",
    "in_processes",
    "in_threads",
    "register_serializer",
]
