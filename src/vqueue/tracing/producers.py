"""Spans for adding: a Queue and a FlowProducer whose jobs carry their context."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from opentelemetry.trace import Link, Span, SpanKind, Tracer, TracerProvider

from vqueue.durability import Durability
from vqueue.flows import FlowJob, FlowNode, FlowProducer
from vqueue.job import Job
from vqueue.job_ids import new_job_id
from vqueue.options import DEFAULT_OPTIONS, JobOptions
from vqueue.producing import NewJob
from vqueue.queue import Queue
from vqueue.serializing import Serializer
from vqueue.sources import RedisSource
from vqueue.tracing.spans import (
    BATCH_COUNT,
    JOB,
    MESSAGE_ID,
    carried_by,
    context_in,
    described,
    links_to,
    note_error,
    open_tracer,
)


class TracedQueue(Queue):
    """A Queue whose adds are spans, and whose jobs carry their context to the worker.

    `add` and `add_flow` are a span ``send <queue>`` each, which their jobs belong to. `add_bulk`
    is one, too, linked to a span ``create <queue>`` for each job; without `create_spans` there is
    only the first one, which all of its jobs belong to. A job that is given a `trace_context` of
    its own keeps it, an empty one included. Jobs that a scheduler makes begin traces of their own.
    The other arguments are those of Queue.
    """

    def __init__(
        self,
        name: str,
        redis: RedisSource,
        *,
        tracer_provider: TracerProvider | None = None,
        create_spans: bool = True,
        prefix: str = "vq",
        repeat_for: float = 10.0,
        default_job_options: JobOptions = DEFAULT_OPTIONS,
        serializer: Serializer | None = None,
    ) -> None:
        super().__init__(
            name,
            redis,
            prefix=prefix,
            repeat_for=repeat_for,
            default_job_options=default_job_options,
            serializer=serializer,
        )
        self._tracer = open_tracer(tracer_provider)
        self._create_spans = create_spans

    async def add(
        self,
        name: str,
        data: Any = None,
        *,
        durability: Durability | None = None,
        **options: Any,
    ) -> Job:
        """Add a job as `Queue.add` does, in a span."""
        given = options.get("trace_context", self._defaults.trace_context)
        links = [] if given is None else _links_to([given])
        with _sending(self._tracer, self.name, links=links, creates=given is None) as span:
            if given is None:
                options["trace_context"] = carried_by(span)
            job = await super().add(name, data, durability=durability, **options)
            span.set_attributes({MESSAGE_ID: job.id, f"{JOB}.name": name})
            if job.is_duplicate or job.is_deduplicated:
                span.set_attribute(f"{JOB}.duplicate", True)
        return job

    async def add_bulk(
        self, jobs: Iterable[NewJob], *, durability: Durability | None = None
    ) -> list[Job]:
        """Add jobs as `Queue.add_bulk` does, in a span."""
        given = [
            replace(job, options=self._defaults) if job.options is DEFAULT_OPTIONS else job
            for job in jobs
        ]
        if self._create_spans:
            given = [self._created(job) for job in given]
        own = [job.options.trace_context for job in given if job.options.trace_context]
        with _sending(
            self._tracer, self.name, links=_links_to(own), creates=not self._create_spans
        ) as span:
            span.set_attribute(BATCH_COUNT, len(given))
            if not self._create_spans:
                carried = carried_by(span)
                given = [_with_context(job, carried) for job in given]
            return await super().add_bulk(given, durability=durability)

    async def add_flow(self, flow: FlowJob) -> FlowNode:
        """Add a flow as `Queue.add_flow` does, in a span."""
        with _sending(self._tracer, self.name, creates=True) as span:
            (carrying,) = _flows_with_context([flow], span)
            return await super().add_flow(carrying)

    async def add_children(self, parent: Job | str, flows: Iterable[FlowJob]) -> list[FlowNode]:
        """Add children as `Queue.add_children` does, in a span."""
        with _sending(self._tracer, self.name, creates=True) as span:
            return await super().add_children(parent, _flows_with_context(list(flows), span))

    def _created(self, job: NewJob) -> NewJob:
        """Return a job of a bulk with the context of a span of its own."""
        options = job.options
        if options.trace_context is not None:
            return job
        job_id = options.job_id or new_job_id()
        span = self._tracer.start_span(
            f"create {self.name}",
            kind=SpanKind.PRODUCER,
            attributes=described("create", self.name)
            | {MESSAGE_ID: job_id, f"{JOB}.name": job.name},
        )
        span.end()
        return replace(job, options=replace(options, job_id=job_id, trace_context=carried_by(span)))


class TracedFlowProducer(FlowProducer):
    """A FlowProducer whose adds are spans; its jobs carry their context to the workers."""

    def __init__(
        self,
        redis: RedisSource,
        *,
        tracer_provider: TracerProvider | None = None,
        prefix: str = "vq",
        repeat_for: float = 10.0,
        serializer: Serializer | None = None,
    ) -> None:
        super().__init__(redis, prefix=prefix, repeat_for=repeat_for, serializer=serializer)
        self._tracer = open_tracer(tracer_provider)

    async def add_bulk(self, flows: Sequence[FlowJob]) -> list[FlowNode]:
        """Add flows as `FlowProducer.add_bulk` does, in a span."""
        queues = {flow.queue_name for flow in flows}
        with _sending(self._tracer, queues.pop() if len(queues) == 1 else None) as span:
            return await super().add_bulk(_flows_with_context(flows, span))


@contextmanager
def _sending(
    tracer: Tracer, queue_name: str | None, *, links: Sequence[Link] = (), creates: bool = True
) -> Iterator[Span]:
    """A span for adding; it `creates` the context that jobs carry, unless they have others."""
    with tracer.start_as_current_span(
        f"send {queue_name}" if queue_name is not None else "send",
        kind=SpanKind.PRODUCER if creates else SpanKind.CLIENT,
        links=links,
        attributes=described("send", queue_name),
        set_status_on_exception=False,
    ) as span:
        try:
            yield span
        except BaseException as error:
            note_error(span, error)
            raise


def _links_to(carried: Iterable[Mapping[str, str]]) -> list[Link]:
    return [link for one in carried for link in links_to(context_in(one))]


def _with_context(job: NewJob, carried: Mapping[str, str]) -> NewJob:
    if job.options.trace_context is not None:
        return job
    return replace(job, options=replace(job.options, trace_context=carried))


def _flows_with_context(flows: Sequence[FlowJob], span: Span) -> list[FlowJob]:
    """Return the flows with the context of a span in each job, and count these in the span."""
    carried, seen = carried_by(span), dict[int, FlowJob]()

    def carrying(flow: FlowJob) -> FlowJob:
        if id(flow) in seen:
            return seen[id(flow)]
        seen[id(flow)] = flow  # one that is among its own children is refused later, as it is
        children = tuple(carrying(child) for child in flow.children)
        options = flow.options
        if options.trace_context is None:
            options = replace(options, trace_context=carried)
        seen[id(flow)] = replace(flow, options=options, children=children)
        return seen[id(flow)]

    result = [carrying(flow) for flow in flows]
    span.set_attribute(BATCH_COUNT, len(seen))
    return result
