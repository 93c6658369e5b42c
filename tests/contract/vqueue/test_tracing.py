"""Traces: what the SDK exports about adding jobs and running them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from tests.support.workers import ended
from vqueue import (
    FlowJob,
    InvalidOption,
    Job,
    NewJob,
    UnrecoverableError,
    WaitingError,
    Worker,
    in_batches,
    in_processes,
)
from vqueue.attempt import Handler
from vqueue.tracing import TracedFlowProducer, TracedQueue, context_of, trace_attempts

PRODUCER, CLIENT, CONSUMER = SpanKind.PRODUCER, SpanKind.CLIENT, SpanKind.CONSUMER


class Traces:
    """Spans of a provider of this test's own, once they have ended."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer = self.provider.get_tracer("test")

    def of_kind(self, operation: str) -> list[ReadableSpan]:
        """Spans of an operation of the conventions, in the order in which they ended."""
        spans = self._exporter.get_finished_spans()
        return [one for one in spans if said(one).get("messaging.operation.name") == operation]

    def named(self, name: str) -> ReadableSpan:
        """The one span of this name."""
        (span,) = (one for one in self._exporter.get_finished_spans() if one.name == name)
        return span

    def worker(self, name: str, handler: Handler, redis_url: str, **options: Any) -> Worker:
        """A worker that traces here."""
        traced = trace_attempts(tracer_provider=self.provider)
        return Worker(name, handler, redis_url, middleware=[traced], **options)


def said(span: ReadableSpan) -> dict[str, Any]:
    """The attributes of a span."""
    return dict(span.attributes or {})


def outcomes(spans: list[ReadableSpan]) -> list[Any]:
    """How the attempts of these spans ended."""
    return [said(one)["messaging.vqueue.job.outcome"] for one in spans]


def ids(span: ReadableSpan) -> tuple[int, int]:
    """What names a span."""
    assert span.context is not None
    return span.context.trace_id, span.context.span_id


def parent_of(span: ReadableSpan) -> tuple[int, int] | None:
    """What names the parent of a span."""
    return (span.parent.trace_id, span.parent.span_id) if span.parent else None


def links_of(span: ReadableSpan) -> list[tuple[int, int]]:
    """What names the spans that one is linked to."""
    return [(link.context.trace_id, link.context.span_id) for link in span.links]


@pytest.fixture
def traces() -> Traces:
    """A provider of this test's own."""
    return Traces()


@pytest.fixture
async def queue(redis_url: str, queue_name: str, traces: Traces) -> AsyncIterator[TracedQueue]:
    """This test's queue, traced."""
    async with TracedQueue(queue_name, redis_url, tracer_provider=traces.provider) as queue:
        yield queue


async def do_nothing(_: Job) -> None:
    """Handle any job."""


async def test_adding_a_job_and_running_it_are_one_trace(
    queue: TracedQueue, traces: Traces, redis_url: str, queue_name: str
) -> None:
    async def handler(_: Job) -> None:
        with traces.tracer.start_as_current_span("inside"):
            await asyncio.sleep(0)

    with traces.tracer.start_as_current_span("request"):
        added = await queue.add("mail", attempts=2)
    async with traces.worker(queue_name, handler, redis_url) as worker:
        await ended(queue, added.id)
        consumer = worker.consumer
    (send,), (process,) = traces.of_kind("send"), traces.of_kind("process")
    assert parent_of(send) == ids(traces.named("request"))
    assert parent_of(process) == ids(send)
    assert links_of(process) == [ids(send)]
    assert parent_of(traces.named("inside")) == ids(process)
    assert (send.name, send.kind) == (f"send {queue_name}", PRODUCER)
    assert (process.name, process.kind) == (f"process {queue_name}", CONSUMER)
    assert said(send) == {
        "messaging.system": "vqueue",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": queue_name,
        "messaging.message.id": added.id,
        "messaging.vqueue.job.name": "mail",
    }
    assert said(process) == {
        "messaging.system": "vqueue",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": queue_name,
        "messaging.message.id": added.id,
        "messaging.client.id": consumer,
        "messaging.vqueue.job.name": "mail",
        "messaging.vqueue.job.attempt": 1,
        "messaging.vqueue.job.attempts": 2,
        "messaging.vqueue.job.start": 1,
        "messaging.vqueue.job.outcome": "completed",
    }
    assert process.status.status_code is StatusCode.UNSET


async def test_each_attempt_is_a_span_with_its_error(
    queue: TracedQueue, traces: Traces, redis_url: str, queue_name: str
) -> None:
    async def handler(job: Job) -> None:
        if job.attempts_started == 1:
            raise WaitingError
        if job.attempts_started == 2:
            raise ValueError("no luck")
        raise UnrecoverableError("for good")

    added = await queue.add("task", attempts=5)
    async with traces.worker(queue_name, handler, redis_url):
        await ended(queue, added.id)
    (send,), spans = traces.of_kind("send"), traces.of_kind("process")
    assert outcomes(spans) == ["parked", "retried", "failed"]
    assert [parent_of(span) for span in spans] == [ids(send)] * 3
    assert [said(span)["messaging.vqueue.job.attempt"] for span in spans] == [1, 1, 2]
    parked, retried, failed = spans
    assert (parked.status.status_code, parked.events) == (StatusCode.UNSET, ())
    assert (retried.status.status_code, retried.status.description) == (
        StatusCode.ERROR,
        "no luck",
    )
    assert said(retried)["error.type"] == "ValueError"
    assert said(failed)["error.type"] == "vqueue.errors.UnrecoverableError"
    for span in (retried, failed):
        (event,) = span.events
        assert event.name == "exception"


async def test_an_attempt_that_is_interrupted_says_why(
    queue: TracedQueue, traces: Traces, redis_url: str, queue_name: str
) -> None:
    started = asyncio.Event()

    async def handler(_: Job) -> None:
        started.set()
        await asyncio.Event().wait()

    added = await queue.add("task")
    async with traces.worker(queue_name, handler, redis_url):
        await started.wait()
        await queue.cancel(added.id, reason="not wanted any more")
        await ended(queue, added.id)
    (span,) = traces.of_kind("process")
    assert outcomes([span]) == ["interrupted"]
    assert span.status.description == "cancelled: not wanted any more"


async def test_a_bulk_is_one_span_with_a_link_to_each_job(
    queue: TracedQueue, traces: Traces, redis_url: str, queue_name: str
) -> None:
    elsewhere = {"traceparent": f"00-{7:032x}-{8:016x}-01"}
    jobs = await queue.add_bulk(
        [
            NewJob(name="first"),
            NewJob(name="second"),
            NewJob(name="third", options=queue.job_options(trace_context=elsewhere)),
        ]
    )
    async with traces.worker(queue_name, do_nothing, redis_url):
        await ended(queue, *(job.id for job in jobs))
    (send,), created = traces.of_kind("send"), traces.of_kind("create")
    assert (send.kind, said(send)["messaging.batch.message_count"]) == (CLIENT, 3)
    assert links_of(send) == [*(ids(span) for span in created), (7, 8)]
    assert [said(span)["messaging.message.id"] for span in created] == [jobs[0].id, jobs[1].id]
    assert [span.kind for span in created] == [PRODUCER, PRODUCER]
    assert {parent_of(span) for span in traces.of_kind("process")} == set(links_of(send))


async def test_a_bulk_without_spans_for_its_jobs_is_their_parent(
    traces: Traces, redis_url: str, queue_name: str
) -> None:
    async with TracedQueue(
        queue_name, redis_url, tracer_provider=traces.provider, create_spans=False
    ) as queue:
        jobs = await queue.add_bulk([NewJob(name="first"), NewJob(name="second")])
        async with traces.worker(queue_name, do_nothing, redis_url):
            await ended(queue, *(job.id for job in jobs))
    (send,) = traces.of_kind("send")
    assert (send.kind, traces.of_kind("create")) == (PRODUCER, [])
    assert [parent_of(span) for span in traces.of_kind("process")] == [ids(send)] * 2


async def test_the_jobs_of_a_flow_belong_to_one_span(
    queue: TracedQueue, traces: Traces, redis_url: str, queue_name: str
) -> None:
    shared = FlowJob(name="shared")
    flow = FlowJob(
        name="parent",
        children=[
            FlowJob(name="left", children=[shared]),
            FlowJob(name="right", children=[shared]),
        ],
    )
    node = await queue.add_flow(flow)
    async with traces.worker(queue_name, do_nothing, redis_url):
        await ended(queue, node.job.id)
    (send,) = traces.of_kind("send")
    assert said(send)["messaging.batch.message_count"] == 4
    assert [parent_of(span) for span in traces.of_kind("process")] == [ids(send)] * 4


async def test_a_flow_producer_and_children_of_a_handler_are_traced(
    queue: TracedQueue, traces: Traces, redis_url: str, queue_name: str
) -> None:
    async def handler(job: Job) -> None:
        if job.name == "parent":
            await queue.add_children(job, [FlowJob(name="child", options=child)])
            await job.move_to_waiting_children()

    child = queue.job_options(job_id="child")
    async with TracedFlowProducer(redis_url, tracer_provider=traces.provider) as producer:
        node = await producer.add(FlowJob(name="parent", queue_name=queue_name))
        circle: list[FlowJob] = []
        circle.append(FlowJob(name="circle", queue_name=queue_name, children=circle))
        with pytest.raises(InvalidOption, match="its own children"):
            await producer.add(circle[0])
    async with traces.worker(queue_name, handler, redis_url):
        await ended(queue, node.job.id)
    added, refused, *children = traces.of_kind("send")
    assert refused.status.status_code is StatusCode.ERROR
    parent, of_child, again = traces.of_kind("process")
    assert (parent_of(parent), parent_of(again)) == (ids(added), ids(added))
    assert parent_of(children[0]) == ids(parent)
    assert parent_of(of_child) == ids(children[0])


async def test_a_handler_in_another_process_knows_the_span_of_its_attempt(
    queue: TracedQueue, traces: Traces, redis_url: str, queue_name: str
) -> None:
    added = await queue.add("task")
    async with (
        in_processes("tests.support.child_functions:tell_trace", processes=1) as handler,
        traces.worker(queue_name, handler, redis_url),
    ):
        (job,) = await ended(queue, added.id)
    trace_id, span_id = ids(traces.of_kind("process")[0])
    assert job.returnvalue.startswith(f"00-{trace_id:032x}-{span_id:016x}-")


async def test_an_attempt_can_begin_a_trace_that_is_linked_only(
    queue: TracedQueue, traces: Traces, redis_url: str, queue_name: str
) -> None:
    added = await queue.add("task")
    linked = trace_attempts(tracer_provider=traces.provider, as_child=False)
    async with Worker(queue_name, do_nothing, redis_url, middleware=[linked]):
        await ended(queue, added.id)
    (send,), (process,) = traces.of_kind("send"), traces.of_kind("process")
    assert (parent_of(process), links_of(process)) == (None, [ids(send)])


async def test_a_span_that_the_worker_runs_in_is_linked(
    queue: TracedQueue, traces: Traces, redis_url: str, queue_name: str
) -> None:
    added = await queue.add("task")
    with traces.tracer.start_as_current_span("program"):
        async with traces.worker(queue_name, do_nothing, redis_url):
            await ended(queue, added.id)
    (send,), (process,) = traces.of_kind("send"), traces.of_kind("process")
    assert parent_of(process) == ids(send)
    assert links_of(process) == [ids(send), ids(traces.named("program"))]


async def test_a_job_that_is_given_a_context_keeps_it_and_an_empty_one_is_none(
    queue: TracedQueue, traces: Traces, redis_url: str, queue_name: str
) -> None:
    given = {"traceparent": f"00-{1:032x}-{2:016x}-01", "tracestate": "vendor=value"}
    kept = await queue.add("task", trace_context=given)
    bare = await queue.add("task", trace_context={})
    stored = await queue.get_job(kept.id)
    assert stored is not None
    assert stored.trace_context == given
    assert "trace_context" not in bare.options
    async with traces.worker(queue_name, do_nothing, redis_url):
        await ended(queue, kept.id, bare.id)
    first, second = traces.of_kind("process")
    assert (parent_of(first), parent_of(second)) == ((1, 2), None)
    of_kept, of_bare = traces.of_kind("send")
    assert (links_of(of_kept), of_kept.kind) == ([(1, 2)], CLIENT)
    assert links_of(of_bare) == []


async def test_an_add_that_is_refused_is_an_error_of_its_span(
    queue: TracedQueue, traces: Traces
) -> None:
    with pytest.raises(InvalidOption):
        await queue.add("task", attempts=0)
    (send,) = traces.of_kind("send")
    assert send.status.status_code is StatusCode.ERROR
    assert said(send)["error.type"] == "vqueue.errors.InvalidOption"


async def test_without_a_provider_jobs_carry_nothing(redis_url: str, queue_name: str) -> None:
    async with TracedQueue(queue_name, redis_url) as queue:
        added = await queue.add("task")
        (bulk,) = await queue.add_bulk([NewJob(name="task")])
        assert (added.options, bulk.options) == ({}, {})
        async with Worker(queue_name, do_nothing, redis_url, middleware=[trace_attempts()]):
            for job in await ended(queue, added.id, bulk.id):
                assert job.state == "completed"


async def test_a_batch_handler_reaches_the_span_of_each_job(
    queue: TracedQueue, traces: Traces, redis_url: str, queue_name: str
) -> None:
    added = [await queue.add(name) for name in ("first", "second")]

    async def handler(jobs: Sequence[Job]) -> None:
        for job in jobs:
            with traces.tracer.start_as_current_span(job.name, context=context_of(job)):
                await asyncio.sleep(0)

    batches = in_batches(handler, size=2, min_size=2, wait=60)
    async with traces.worker(queue_name, batches, redis_url, concurrency=2):
        await ended(queue, *(job.id for job in added))
    attempts = {said(span)["messaging.message.id"]: ids(span) for span in traces.of_kind("process")}
    for job in added:
        assert parent_of(traces.named(job.name)) == attempts[job.id]
