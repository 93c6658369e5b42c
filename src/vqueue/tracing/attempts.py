"""Spans for attempts: middleware for Worker."""

from __future__ import annotations

import asyncio
from typing import Any

from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, TracerProvider

from vqueue.attempt import Handler
from vqueue.errors import JobParked, UnrecoverableError
from vqueue.job import Job
from vqueue.middleware import Middleware
from vqueue.tracing.spans import (
    JOB,
    MESSAGE_ID,
    carried_by,
    context_of,
    described,
    links_to,
    note_error,
    open_tracer,
)


def trace_attempts(
    *, tracer_provider: TracerProvider | None = None, as_child: bool = True
) -> Middleware:
    """Return middleware for Worker that makes each attempt a span, ``process <queue>``.

    The span is linked to the one who added the job and, with `as_child`, is a child of it; a
    span that the worker itself runs in is linked then. Without, it is a child of that span, or
    begins a trace of its own. A handler that raises is an error, except when it puts its
    job back. Make it the first middleware, so that the span covers the others.
    """
    tracer = open_tracer(tracer_provider)

    async def traced(job: Job, following: Handler) -> Any:
        added = context_of(job)
        links = links_to(added)
        if as_child and links:
            parent: Context | None = added
            links += links_to(None)
        else:
            parent = None
        with tracer.start_as_current_span(
            f"process {job.queue_name}",
            context=parent,
            kind=SpanKind.CONSUMER,
            links=links,
            attributes=described("process", job.queue_name) | _described_job(job),
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            job._trace_context = carried_by(span)
            outcome = "interrupted"
            try:
                result = await following(job)
                outcome = "completed"
                return result
            except JobParked:
                outcome = "parked"
                raise
            except asyncio.CancelledError as error:
                # its lease lost, cancelled, out of time, or handed back: the message says which
                note_error(span, error)
                raise
            except Exception as error:
                is_last = job.attempts_made + 1 >= job.attempts
                is_final = is_last or isinstance(error, UnrecoverableError)
                outcome = "failed" if is_final else "retried"
                span.record_exception(error)
                note_error(span, error)
                raise
            finally:
                span.set_attribute(f"{JOB}.outcome", outcome)

    return traced


def _described_job(job: Job) -> dict[str, str | int]:
    return {
        MESSAGE_ID: job.id,
        "messaging.client.id": job.consumer or "",
        f"{JOB}.name": job.name,
        f"{JOB}.attempt": job.attempts_made + 1,
        f"{JOB}.attempts": job.attempts,
        f"{JOB}.start": job.attempts_started,
    }
