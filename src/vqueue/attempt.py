"""One attempt of one job: the handler, and what becomes of the job when it ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from vqueue.activation import Activation
from vqueue.errors import InvalidOption, JobParked, JobTimeout, UnrecoverableError
from vqueue.job import Job
from vqueue.outcome import Outcome, OutcomePolicy

logger = logging.getLogger(__name__)

#: What a Worker runs for each job: what it returns is the result, JSON.
Handler = Callable[[Job], Awaitable[Any]]


async def run_attempt(
    handler: Handler, policy: OutcomePolicy, activation: Activation
) -> Outcome | None:
    """Run the handler; return how the job is to be settled.

    None when there is nothing to settle: the lease is lost, or the job is handed back.
    Raises CancelledError only when the worker itself is cancelled.
    """
    job = activation.job
    outcome: Outcome | None = None
    try:
        if activation.payload_error is not None:
            raise activation.payload_error
        if job._options and (limit_ms := job._options.get("timeout")):
            result = await _run_within(limit_ms, handler, job)
        else:
            result = await handler(job)
        try:
            outcome = policy.succeeded(job, result)
        except InvalidOption as error:
            outcome = await _failed(policy, job, error)
    except asyncio.CancelledError as error:
        if not activation.interrupted:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # nobody asked for it: the handler cancelled itself
            outcome = await _failed(policy, job, error)
    except JobParked as error:
        if not activation.interrupted:
            outcome = await _parked(policy, job, error)
    except Exception as error:
        # a clean-up that fails after a cancellation spends no attempt either
        if not activation.interrupted:
            outcome = await _failed(policy, job, error)
    if outcome is None:
        return stopped(policy, activation)
    if activation.lost:
        logger.warning("job %s: its lease was lost, the handler has ended", job.id)
    return outcome


def stopped(policy: OutcomePolicy, activation: Activation) -> Outcome | None:
    """Return how a job is to be settled whose handler was interrupted, or did not start."""
    if activation.lost:
        logger.warning("job %s: its lease was lost, the handler has ended", activation.job_id)
    elif activation.cancel_reason is not None and not activation.handing_back:
        return policy.cancelled(activation.job, activation.cancel_reason)
    return None


async def _parked(policy: OutcomePolicy, job: Job, error: JobParked) -> Outcome:
    try:
        outcome = policy.parked(error)
    except InvalidOption as refused:
        return await _failed(policy, job, refused)
    logger.debug(
        "job %s: put back (%s): %s",
        job.id,
        outcome.kind,
        error,
        extra={"action": "job_parked", "job_id": job.id},
    )
    return outcome


async def _run_within(limit_ms: int, handler: Handler, job: Job) -> Any:
    try:
        async with asyncio.timeout(limit_ms / 1000) as limit:
            return await handler(job)
    except TimeoutError as error:
        if not limit.expired():
            raise  # one of the handler's own
        raise JobTimeout(job.id, seconds=limit_ms / 1000) from error


def with_timeout(handler: Handler, limit_ms: int) -> Handler:
    """Return a handler that is cancelled after so long, unless the job has its own time."""

    async def limited(job: Job) -> Any:
        if job._options.get("timeout"):
            return await handler(job)
        return await _run_within(limit_ms, handler, job)

    return limited


def with_start_limit(handler: Handler, max_started_attempts: int) -> Handler:
    """Return a handler that fails a job which was started more often than that."""

    async def limited(job: Job) -> Any:
        if job.attempts_started > max_started_attempts:
            raise UnrecoverableError(
                f"job started more than allowable limit: start {job.attempts_started}, "
                f"max_started_attempts is {max_started_attempts}"
            )
        return await handler(job)

    return limited


async def _failed(policy: OutcomePolicy, job: Job, error: BaseException) -> Outcome:
    outcome = await policy.raised(job, error)
    logger.info(
        "job %s: attempt %d of %d failed (%s): %s",
        job.id,
        job.attempts_made + 1,
        job.attempts,
        outcome.kind,
        error,
        extra={"action": "attempt_failed", "job_id": job.id},
    )
    return outcome
