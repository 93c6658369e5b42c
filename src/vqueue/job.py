"""A job as callers and handlers see it."""

from __future__ import annotations

from collections.abc import Mapping
from types import GenericAlias, MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from vqueue.backoff import Backoff
from vqueue.errors import (
    DelayedError,
    JobNotActive,
    WaitingChildrenError,
    WaitingError,
)
from vqueue.flow_scripts import Dependency
from vqueue.quantities import Seconds
from vqueue.record import fence_of
from vqueue.serializing import decode_payload
from vqueue.stall import Stall
from vqueue.states import JobState

if TYPE_CHECKING:
    from typing import Generic

    from typing_extensions import TypeVar

    from vqueue.queue import Queue

    #: What a job's data are: Any where nothing is said.
    DataT = TypeVar("DataT", default=Any)
    #: What its handler returns.
    ResultT = TypeVar("ResultT", default=Any)
else:
    from typing import TypeVar

    # Python 3.11 knows no default, so its own Generic would ask for both
    DataT, ResultT = TypeVar("DataT"), TypeVar("ResultT")

    class Generic:
        """Takes any number of types, and keeps them."""

        __class_getitem__ = classmethod(GenericAlias)


class Reporter(Protocol):
    """What a running job needs of its worker; see activation.py."""

    async def update_progress(self, value: Any) -> None:
        """See Job.update_progress."""

    async def update_data(self, data: Any) -> None:
        """See Job.update_data."""

    async def log(self, line: str) -> None:
        """See Job.log."""

    async def send_partial(self, value: Any) -> None:
        """See Job.send_partial."""

    async def children(self, kind: Dependency) -> Mapping[str, bytes]:
        """Return the job's children of a kind: ref → JSON."""


class ResultSource(Protocol):
    """What a job needs of the Queue that it came from; see results.py."""

    async def result(self, job_id: str, *, timeout: float | None = None) -> Any:
        """See Queue.result."""


class Job(Generic[DataT, ResultT]):
    """One job: what was added, and what has become of it when this object was made.

    `Job[Clip]` is a job whose data are a Clip (a TypedDict, say) for a type checker, and
    `Job[Clip, str]` one whose handler returns a str; nothing checks them when they come.

    Times are seconds since the epoch by the Redis server's clock. Handlers get an active
    job, whose `update_progress` and `log` work; `Queue.get_job` gives a snapshot.
    """

    #: Where it is.
    state = JobState.WAITING
    #: True when `add` found a job of this id, and changed nothing.
    is_duplicate = False
    #: True when `add` found a job that stands for this one; then `id` is that job's.
    is_deduplicated = False
    priority = 0
    #: Attempts that have ended: completed, failed or retried.
    attempts_made = 0
    #: Times the job was handed to a worker and not handed back unspent.
    attempts_started = 0
    #: Times a worker lost the job (see Worker's max_stalled).
    stalled_count = 0
    #: The last progress value (any JSON), None before the first one.
    progress: Any = None
    #: The handler's result, once completed.
    returnvalue: ResultT | None = None
    #: Why the last attempt failed, or the job did.
    failed_reason: str | None = None
    #: Tracebacks of the attempts that failed, the newest last (see stack_trace_limit).
    stacktrace: tuple[str, ...] = ()
    #: When the job was added.
    timestamp: float | None = None
    #: When the last attempt that has ended was started; for an active job, this one.
    processed_on: float | None = None
    finished_on: float | None = None
    #: When a delayed job is due.
    delay_until: float | None = None
    #: The worker process that holds the job; with `fence` unique for this activation.
    consumer: str | None = None
    #: Why it counted as stalled the last time, if it did.
    last_stall: Stall | None = None
    _options: Mapping[str, Any] = MappingProxyType({})
    _queue: ResultSource | None = None
    _reporter: Reporter | None = None
    _token: bytes | None = None
    #: Set while an attempt is traced, see trace_context.
    _trace_context: Mapping[str, str] | None = None

    # Defaults are the class's: an object sets what differs, which is little, and quick.
    def __init__(self, *, id: str, name: str, data: DataT, queue_name: str) -> None:
        self.id = id
        self.name = name
        #: The payload, decoded from JSON.
        self.data = data
        self.queue_name = queue_name

    @property
    def fence(self) -> int | None:
        """Number of an active job's activation; grows with each one of the queue.

        Put it into every name and guarded update that must not survive the loss of the lease.
        """
        return fence_of(self._token) if self._token is not None else None

    @property
    def attempts(self) -> int:
        """Attempts before the job fails, the first one included."""
        attempts: int = self._options.get("attempts", 1)
        return attempts

    @property
    def backoff(self) -> Backoff:
        """The wait between attempts."""
        wire = self._options.get("backoff")
        return Backoff.from_wire(wire) if wire else Backoff()

    @property
    def scheduler_id(self) -> str | None:
        """The job scheduler that made the job, None for another job."""
        return self._options.get("scheduler")

    @property
    def scheduled_for(self) -> float | None:
        """The slot that a job scheduler made the job for; None for another job."""
        if self.scheduler_id is None:
            return None
        return int(self.id.rpartition(".")[2]) / 1000

    @property
    def trace_context(self) -> Mapping[str, str] | None:
        """W3C's traceparent and tracestate of who added the job, None for a job without.

        In a handler that vqueue.tracing traces, those of the attempt.
        """
        return self._trace_context or self._options.get("trace_context")

    @property
    def options(self) -> dict[str, Any]:
        """The stored options that differ from their defaults; times in ms."""
        return dict(self._options)

    async def update_progress(self, value: Any) -> None:
        """Report progress: any JSON value, typically a number of 0..100.

        The last value wins: values are sent a few times a second at most, and always
        before the job ends. Raises LeaseLost when the job is no longer held,
        InvalidOption for values that JSON cannot hold, JobNotActive outside a handler.
        """
        if self._reporter is None:
            raise JobNotActive(f"job {self.id}: only its running handler reports progress")
        await self._reporter.update_progress(value)
        self.progress = value

    async def update_data(self, data: Any) -> None:
        """Replace the job's data: what its next attempt starts with, such as a step reached.

        Stored when it returns. Raises LeaseLost when the job is no longer held,
        InvalidOption for data that JSON cannot hold, JobNotActive outside a handler
        (`Queue.update_data` works from anywhere), QueueFull, QueueUnavailable. A size_limit
        is the producer's: a worker does not know it.
        """
        if self._reporter is None:
            raise JobNotActive(
                f"job {self.id}: only its running handler changes its data by the job; "
                "use Queue.update_data"
            )
        await self._reporter.update_data(data)
        self.data = data

    async def log(self, line: str) -> None:
        """Append a line to the job's log; `Queue.get_job_logs` reads it.

        Raises LeaseLost when the job is no longer held, JobNotActive outside a handler.
        When Redis is full the line is dropped with a warning: it must not fail the job.
        """
        if self._reporter is None:
            raise JobNotActive(f"job {self.id}: only its running handler writes its log")
        await self._reporter.log(line)

    async def send_partial(self, value: Any) -> None:
        """Send a part of the result, any JSON value or what the serializer takes, to those who
        read `Queue.partial_results` of this job.

        Stored when it returns; calls made together travel together. The newest are kept (see
        Worker's keep_partials). Raises LeaseLost when the job is no longer held, InvalidOption
        for values that JSON cannot hold, JobNotActive outside a handler, QueueFull,
        QueueUnavailable.
        """
        if self._reporter is None:
            raise JobNotActive(f"job {self.id}: only its running handler sends partial results")
        await self._reporter.send_partial(value)

    async def move_to_delayed(self, seconds: Seconds) -> NoReturn:
        """Leave the handler; the job runs again after `seconds`, without an attempt spent.

        Always raises: DelayedError, which must leave the handler, or JobNotActive outside one.
        """
        if self._reporter is None:
            raise JobNotActive(f"job {self.id}: only its running handler moves it")
        raise DelayedError(seconds)

    async def move_to_wait(self) -> NoReturn:
        """Leave the handler; the job goes to the front of its priority, without an attempt
        spent.

        Always raises: WaitingError, which must leave the handler, or JobNotActive outside one.
        """
        if self._reporter is None:
            raise JobNotActive(f"job {self.id}: only its running handler moves it")
        raise WaitingError

    async def move_to_waiting_children(self) -> None:
        """Leave the handler if the job has children that have not ended; it runs again when
        they have, without an attempt spent. Return when there are none.

        Raises WaitingChildrenError, which must leave the handler, or JobNotActive outside one.
        """
        if self._reporter is None:
            raise JobNotActive(f"job {self.id}: only its running handler moves it")
        if await self._reporter.children(Dependency.UNPROCESSED):
            raise WaitingChildrenError

    async def get_children_values(self) -> dict[str, Any]:
        """Return the results of the job's completed children by their refs, <queue>:<id>.

        Raises JobNotActive outside its handler, where `Queue.get_children_values` works.
        """
        if self._reporter is None:
            raise JobNotActive(f"job {self.id}: use Queue.get_children_values outside its handler")
        found = await self._reporter.children(Dependency.PROCESSED)
        return {ref: decode_payload(value) for ref, value in found.items()}

    async def result(self, *, timeout: float | None = None) -> ResultT:
        """Wait until this job has ended and return what its handler returned: `Queue.result`.

        For jobs of a Queue that it has added, or found by id, state, group or flow. Raises as
        that does, and RuntimeError for others (of a flow in another queue, of an event, in a
        handler): `Queue.result` takes their ids.
        """
        if self._queue is None:
            raise RuntimeError(
                f"job {self.id} did not come from a Queue: call `await queue.result({self.id!r})`"
            )
        result: ResultT = await self._queue.result(self.id, timeout=timeout)
        return result

    async def wait_until_finished(self, queue: Queue, *, timeout: float | None = None) -> ResultT:
        """Return the result once the job has ended: `queue.result` of its id."""
        result: ResultT = await queue.result(self.id, timeout=timeout)
        return result

    def __repr__(self) -> str:
        return (
            f"Job(id={self.id!r}, name={self.name!r}, state={self.state.value!r}, "
            f"attempts_made={self.attempts_made}, fence={self.fence})"
        )
