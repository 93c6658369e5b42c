"""Options of a job: validated on the producer's side, stored compactly with the job.

Times are seconds in Python and milliseconds in Redis.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vqueue.backoff import Backoff
from vqueue.codec import encode
from vqueue.errors import InvalidOption
from vqueue.keys import check_name, check_queue_name
from vqueue.quantities import Seconds, check_count, duration_ms, to_ms

if TYPE_CHECKING:
    from vqueue.deduplication import Deduplication
    from vqueue.groups import Group

#: The largest priority; 1 is the most urgent one, 0 (no priority) goes before all.
MAX_PRIORITY = 2**21 - 1

#: Stack traces that a job keeps unless it says otherwise.
DEFAULT_STACK_TRACE_LIMIT = 10

#: The shortest lease: renewing it takes three round trips in its time.
MIN_LEASE_MS = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Retention:
    """How long finished jobs are kept: the newest `count`, none older than `age`.

    ``Retention(count=0)`` removes a job as it ends. Applied to the whole set of completed
    or failed jobs whenever one of them ends, at most 250 jobs in a call.
    """

    #: Jobs; None for no limit.
    count: int | None = None
    #: Seconds since the end; None for no limit.
    age: Seconds | None = None
    #: Jobs that go in one call at most, 1 to 250; None for 250.
    limit: int | None = None

    def __post_init__(self) -> None:
        if self.count is not None:
            check_count(self.count, what="retention count", low=0)
        if self.age is not None:
            to_ms(self.age, what="retention age")
        if self.limit is not None:
            check_count(self.limit, what="retention limit", low=1, high=250)

    def to_wire(self) -> str:
        """Return the keep rule that lua/include/retention.lua reads."""
        count = -1 if self.count is None else self.count
        age = -1 if self.age is None else to_ms(self.age, what="retention age")
        return f"{count} {age}" if self.limit is None else f"{count} {age} {self.limit}"

    @classmethod
    def of(cls, value: bool | int | Retention) -> Retention:
        """Read BullMQ's short forms: True removes at once, False keeps all, n keeps n."""
        if isinstance(value, Retention):
            return value
        if value is True:
            return cls(count=0)
        if value is False:
            return KEEP_ALL
        return cls(count=value)


KEEP_ALL = Retention()

#: Option → how lua/include/flow.lua calls it.
_ON_CHILD_FAILURE = {
    "fail_parent_on_failure": "fail",
    "ignore_dependency_on_failure": "ignore",
    "remove_dependency_on_failure": "remove",
    "continue_parent_on_failure": "continue",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class RateLimit:
    """At most `max` jobs start in each window of `duration` seconds (BullMQ's ``limiter``)."""

    max: int
    #: Seconds, at least a millisecond.
    duration: Seconds

    def __post_init__(self) -> None:
        check_count(self.max, what="max of a rate limit", low=1)
        if self.duration_ms < 1:
            raise InvalidOption(
                f"duration of a rate limit must be at least a millisecond, not {self.duration!r}"
            )

    @property
    def duration_ms(self) -> int:
        """The duration in milliseconds."""
        return to_ms(self.duration, what="duration of a rate limit")


@dataclass(frozen=True, kw_only=True, slots=True)
class JobOptions:
    """Options of one job, BullMQ's names in snake_case."""

    #: Attempts before the job fails, the first one included.
    attempts: int = 1
    #: Wait before the next attempt: seconds (fixed) or a Backoff.
    backoff: Seconds | Backoff = 0
    #: Seconds before the job may start.
    delay: Seconds = 0
    #: 1 (most urgent) to 2097151; 0 is the plain line, which goes before all of them.
    priority: int = 0
    #: Put the job before the other waiting ones without priority.
    lifo: bool = False
    #: The id, so that a second add of it is ignored; None makes a time-ordered one.
    job_id: str | None = None
    #: Retention of completed jobs; None leaves it to the worker.
    remove_on_complete: bool | int | Retention | None = None
    #: Retention of failed jobs; None leaves it to the worker.
    remove_on_fail: bool | int | Retention | None = None
    #: What a parent does when this job fails for good; at most one of the four. It fails with
    #: it, and so it does when none of them is set.
    fail_parent_on_failure: bool = False
    #: It goes on when its other children have ended, and can read the reason.
    ignore_dependency_on_failure: bool = False
    #: The same, and nothing is kept of this job.
    remove_dependency_on_failure: bool = False
    #: It starts at once, whatever the other children do, and can read the reason.
    continue_parent_on_failure: bool = False
    #: Stalls that the job survives; None leaves it to the worker, and has no limit for a job of a
    #: scheduler that exists.
    max_stalled: int | None = None
    #: Name of the queue, on the same server, that gets a job about this one when it has failed
    #: for good; see the guide on consuming.
    dead_letter: str | None = None
    #: Seconds after the add in which the job must have started; it fails as expired when it is
    #: taken later. None: it may wait for ever.
    expires_in: Seconds | None = None
    #: Seconds that an attempt may take; None leaves it to the worker.
    timeout: Seconds | None = None
    #: Seconds of the job's lease, at least 0.1; None leaves it to the worker.
    lock_duration: Seconds | None = None
    #: In whose line the job waits: the id of a group, or a Group. None for no group.
    group: str | Group | None = None
    #: Whether another job may stand for this one; None: no.
    deduplication: Deduplication | None = None
    #: Bytes that the data may have as JSON (UTF-8); None for no limit.
    size_limit: int | None = None
    #: Stack traces that are kept, of the last attempts that failed; 0 for none.
    stack_trace_limit: int = DEFAULT_STACK_TRACE_LIMIT
    #: W3C's traceparent and tracestate of who adds the job; vqueue.tracing sets and reads it.
    trace_context: Mapping[str, str] | None = field(default=None, hash=False)
    #: Made by __post_init__: the options that a worker needs, as stored.
    wire: dict[str, Any] = field(init=False, repr=False, compare=False)
    #: The same as JSON, b"" for none.
    encoded: bytes = field(init=False, repr=False, compare=False)
    #: Delay in ms, and '0', 'lifo' or the priority, with a '*' when add.lua is to read `wire`.
    settings: tuple[int, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_count(self.attempts, what="attempts", low=1)
        check_count(self.priority, what="priority", low=0, high=MAX_PRIORITY)
        if self.lifo and self.priority:
            raise InvalidOption("lifo and priority exclude each other: choose one of them")
        if self.size_limit is not None:
            check_count(self.size_limit, what="size_limit", low=1)
        wire: dict[str, Any] = {}
        if self.attempts != 1:
            wire["attempts"] = self.attempts
        backoff = self.backoff
        if not isinstance(backoff, Backoff):
            backoff = Backoff(delay=backoff)
        if backoff.delay or backoff.is_custom:
            wire["backoff"] = backoff.to_wire()
        if self.remove_on_complete is not None:
            wire["remove_on_complete"] = Retention.of(self.remove_on_complete).to_wire()
        if self.remove_on_fail is not None:
            wire["remove_on_fail"] = Retention.of(self.remove_on_fail).to_wire()
        if self.max_stalled is not None:
            check_count(self.max_stalled, what="max_stalled", low=0)
            wire["max_stalled"] = self.max_stalled
        if self.dead_letter is not None:
            wire["dead_letter"] = check_queue_name(self.dead_letter, what="dead letter queue")
        if self.expires_in is not None:
            wire["expires_in"] = duration_ms(
                self.expires_in,
                what="expires_in (with a delay: longer than that)",
                least_ms=to_ms(self.delay, what="delay") + 1,
            )
        if self.timeout is not None:
            wire["timeout"] = duration_ms(self.timeout, what="timeout")
        if self.lock_duration is not None:
            wire["lock_duration"] = duration_ms(
                self.lock_duration, what="lock_duration", least_ms=MIN_LEASE_MS
            )
        policies = [name for name in _ON_CHILD_FAILURE if getattr(self, name)]
        if len(policies) > 1:
            raise InvalidOption(f"{' and '.join(policies)} exclude each other: choose one")
        if policies and policies[0] != "fail_parent_on_failure":
            wire["on_child_failure"] = _ON_CHILD_FAILURE[policies[0]]
        if self.deduplication is not None:
            wire["deduplication"] = self.deduplication.to_wire()
        if self.group is not None:
            if isinstance(self.group, str):
                wire["group"] = {"id": check_name(self.group, what="group id")}
            else:
                wire["group"] = self.group.to_wire()
        if self.stack_trace_limit != DEFAULT_STACK_TRACE_LIMIT:
            check_count(self.stack_trace_limit, what="stack_trace_limit", low=0)
            wire["stack_trace_limit"] = self.stack_trace_limit
        if self.trace_context:
            wire["trace_context"] = dict(self.trace_context)
        object.__setattr__(self, "wire", wire)
        object.__setattr__(self, "encoded", encode(wire, "job options") if wire else b"")
        place = "lifo" if self.lifo else str(self.priority)
        if self.deduplication is not None or self.group is not None:
            place += "*"
        object.__setattr__(self, "settings", (to_ms(self.delay, what="delay"), place))

    def check_size(self, encoded: bytes, name: str) -> None:
        """Raise InvalidOption when the data (JSON) of the job of that name are too long."""
        if self.size_limit is not None and len(encoded) > self.size_limit:
            raise InvalidOption(
                f"data of job {name!r} are {len(encoded)} bytes of JSON, and its size_limit is "
                f"{self.size_limit}: store them elsewhere and add their address"
            )


#: Shared by the many jobs that have none of their own.
DEFAULT_OPTIONS = JobOptions()
