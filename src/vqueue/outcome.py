"""What becomes of a job when its handler ends: completed, failed, or another attempt."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from vqueue.codec import encode
from vqueue.errors import (
    DelayedError,
    InvalidOption,
    JobParked,
    RateLimitError,
    UnrecoverableError,
    WaitingChildrenError,
)
from vqueue.job import Job
from vqueue.options import DEFAULT_STACK_TRACE_LIMIT, KEEP_ALL
from vqueue.quantities import to_ms
from vqueue.serializing import Encoder

#: Worker setting for backoff types of one's own: gets the attempts made (from 1), the
#: type, the error and the job; returns seconds, 0 to retry at once, -1 to fail now.
BackoffStrategy = Callable[[int, str, BaseException, Job], float | Awaitable[float]]

#: Characters kept of a reason and of a stack trace.
REASON_LIMIT = 4096
_STACK_LIMIT = 16384
_KEEP_ALL = KEEP_ALL.to_wire()


class Outcome(NamedTuple):
    """How finish.lua settles the job."""

    #: completed, failed, delayed or waiting; without an attempt spent parked (delayed), front
    #: (waiting), limited (waiting, and nobody takes a job for a while) or waiting-children.
    kind: str
    #: JSON: the result, or the reason as a string.
    value: bytes
    #: Trace of an attempt that failed, "" for none; the job keeps the last `stack_limit`.
    stack: str = ""
    #: Keep rule for the final kinds, ms for delayed, parked and limited, "" for the others.
    rule: str = ""
    stack_limit: int = DEFAULT_STACK_TRACE_LIMIT


@dataclass(frozen=True, kw_only=True, slots=True)
class OutcomePolicy:
    """The worker's settings that decide outcomes; a job's own options come first."""

    #: Keep rules, as Retention.to_wire writes them.
    remove_on_complete: str
    remove_on_fail: str
    backoff_strategy: BackoffStrategy | None = None
    #: Writes results.
    encode: Encoder = encode

    def succeeded(self, job: Job, result: Any) -> Outcome:
        """Return the outcome of a handler that returned.

        Raises InvalidOption for a result that JSON cannot hold.
        """
        rule = self.remove_on_complete
        if job._options:
            rule = _keep_rule(job, "remove_on_complete", rule)
        if self.remove_on_fail != _KEEP_ALL:
            rule = f"{rule}|{self.remove_on_fail}"
        value = self.encode(result, "result of job %s", job.id)
        return Outcome(kind="completed", value=value, rule=rule)

    def parked(self, error: JobParked) -> Outcome:
        """Return the outcome of a handler that put its job back.

        Raises InvalidOption for a time that is none.
        """
        if isinstance(error, DelayedError):
            wait = to_ms(error.seconds, what="DelayedError")
            return Outcome(kind="parked", value=b"", rule=str(wait))
        if isinstance(error, RateLimitError) and error.seconds is not None:
            pause = to_ms(error.seconds, what="RateLimitError")
            return Outcome(kind="limited", value=b"", rule=str(pause))
        if isinstance(error, WaitingChildrenError):
            return Outcome(kind="waiting-children", value=b"")
        return Outcome(kind="front", value=b"")

    def cancelled(self, job: Job, reason: bytes) -> Outcome:
        """Return the outcome of a job that `Queue.cancel` has ended, with its reason (JSON)."""
        rule = _keep_rule(job, "remove_on_fail", self.remove_on_fail)
        return Outcome(kind="failed", value=reason, rule=rule)

    async def raised(self, job: Job, error: BaseException) -> Outcome:
        """Return the outcome of a handler that raised `error`.

        A backoff strategy that raises, or is missing, fails the job with that reason.
        """
        reason = (str(error) or type(error).__name__)[:REASON_LIMIT]
        # a lone surrogate (from a file name, say) is not valid UTF-8
        value = encode(reason.encode(errors="replace").decode(), "failed reason")
        stack = "".join(traceback.format_exception(error))[-_STACK_LIMIT:]
        stack = stack.encode(errors="replace").decode()
        kept = job._options.get("stack_trace_limit", DEFAULT_STACK_TRACE_LIMIT)
        if not isinstance(error, UnrecoverableError) and job.attempts_made + 1 < job.attempts:
            try:
                wait_ms = await self._wait_ms(job, error)
            except Exception as strategy_error:
                # the user's strategy gave no answer: fail now, and say why
                strategy_error.__context__ = error
                failure = UnrecoverableError(strategy_error)
                failure.__cause__ = strategy_error
                return await self.raised(job, failure)
            if wait_ms > 0:
                return Outcome("delayed", value, stack, str(wait_ms), kept)
            if wait_ms == 0:
                return Outcome("waiting", value, stack, stack_limit=kept)
        rule = _keep_rule(job, "remove_on_fail", self.remove_on_fail)
        flags = "+" if "dead_letter" in job._options else ""
        if job.attempts_made + 1 >= job.attempts:
            flags += "!"
        if flags:
            rule = f"{rule} {flags}"
        return Outcome("failed", value, stack, rule, kept)

    async def _wait_ms(self, job: Job, error: BaseException) -> int:
        """Return the wait in ms; negative to fail now."""
        backoff, made = job.backoff, job.attempts_made + 1
        if not backoff.is_custom:
            return backoff.delay_ms(made)
        if self.backoff_strategy is None:
            raise InvalidOption(
                f"job {job.id} asks for backoff type {backoff.type!r}, which is neither fixed "
                "nor exponential: give the Worker a backoff_strategy that knows it"
            )
        answer = self.backoff_strategy(made, backoff.type, error, job)
        seconds = await answer if inspect.isawaitable(answer) else answer
        return -1 if seconds < 0 else round(seconds * 1000)


def _keep_rule(job: Job, option: str, default: str) -> str:
    """Return the keep rule of finish.lua, marked when it is to look into the job's options."""
    options = job._options
    rule: str = options.get(option) or default
    return f"{rule} *" if "deduplication" in options else rule
