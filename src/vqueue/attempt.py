"""One attempt of one job: the handler, and what becomes of the job when it ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from vqueue.activation import Activation
from vqueue.errors import InvalidOption
from vqueue.job import Job
from vqueue.outcome import Outcome, OutcomePolicy

logger = logging.getLogger(__name__)

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
        result = await handler(job)
        try:
            outcome = policy.succeeded(job, result)
        except InvalidOption as error:
            outcome = await _failed(policy, job, error)
    except asyncio.CancelledError as error:
        if not activation.lost and not activation.handing_back:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # nobody asked for it: the handler cancelled itself
            outcome = await _failed(policy, job, error)
    except Exception as error:
        # a clean-up that fails after a cancellation spends no attempt either
        if not activation.lost and not activation.handing_back:
            outcome = await _failed(policy, job, error)
    if activation.lost:
        logger.warning("job %s: its lease was lost, the handler has ended", job.id)
    return outcome


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
