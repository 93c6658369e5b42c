"""What the spans of both sides have in common, and the context that a job carries."""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, StatusCode, Tracer, TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from vqueue.child import ProcessJob
from vqueue.job import Job
from vqueue.scripts import library_version

#: Attributes of the conventions, and the prefix of those about jobs.
MESSAGE_ID = "messaging.message.id"
BATCH_COUNT = "messaging.batch.message_count"
JOB = "messaging.vqueue.job"
#: Whatever OTEL_PROPAGATORS says: who adds a job and who runs it must understand each other.
_propagator = TraceContextTextMapPropagator()


def context_of(job: Job | ProcessJob) -> Context:
    """Return the context for a span that belongs to a job.

    In its handler that is the span of the attempt, also where it is not the current one: in a
    child process, in a batch. Elsewhere it is the one who added the job; an empty context for
    a job that carries none.
    """
    return context_in(job.trace_context or {})


def context_in(carried: Mapping[str, str]) -> Context:
    """Return the context that is carried, an empty one for none."""
    return _propagator.extract(carried, Context())


def open_tracer(provider: TracerProvider | None) -> Tracer:
    """Return the library's tracer, of the global provider when none is given."""
    return trace.get_tracer("vqueue", library_version(), provider)


def described(operation: str, queue_name: str | None) -> dict[str, str | int]:
    """Return what every span says; a sampler may decide by it."""
    attributes: dict[str, str | int] = {
        "messaging.system": "vqueue",
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
    }
    if queue_name is not None:
        attributes["messaging.destination.name"] = queue_name
    return attributes


def note_error(span: Span, error: BaseException) -> None:
    """Say in a span that what it covers has failed."""
    kind = type(error)
    name = kind.__qualname__
    if kind.__module__ != "builtins":
        name = f"{kind.__module__}.{name}"
    span.set_attribute("error.type", name)
    span.set_status(StatusCode.ERROR, str(error) or kind.__name__)


def carried_by(span: Span) -> dict[str, str]:
    """Return what a job carries for it to belong to a span; nothing when there is no trace."""
    carrier: dict[str, str] = {}
    _propagator.inject(carrier, trace.set_span_in_context(span, Context()))
    return carrier


def links_to(context: Context | None) -> list[Link]:
    """Return a link to the span of a context (None: the current one), if there is one."""
    found = trace.get_current_span(context).get_span_context()
    return [Link(found)] if found.is_valid else []
