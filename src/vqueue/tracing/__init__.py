"""Tracing with OpenTelemetry: adding a job and each of its attempts are spans of one trace.

Model. The one who adds a job makes its creation context, which travels with the job (option
`trace_context`, W3C's traceparent and tracestate); whoever runs it makes a span for each attempt,
linked to that context. Names and attributes are those of OpenTelemetry's semantic conventions for
messaging; what only this queue knows has names under `messaging.vqueue`.

Needs the extra `otel`; nothing else of the package imports this module. Without an SDK, or
without a span to belong to, no job carries anything. Baggage is not carried: whoever can read
Redis could read it.
"""

from vqueue.tracing.attempts import trace_attempts
from vqueue.tracing.producers import TracedFlowProducer, TracedQueue
from vqueue.tracing.spans import context_of

__all__ = ["TracedFlowProducer", "TracedQueue", "context_of", "trace_attempts"]
