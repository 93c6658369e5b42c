"""Jobs, workers and queues as JSON for the dashboard; every answer has a bounded size.

Times are seconds since the epoch by the Redis server's clock, durations are seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from vqueue import (
    Explanation,
    Job,
    JobState,
    Latency,
    Metrics,
    QueueMeta,
    Stall,
    WorkerInfo,
)

#: Characters of a text of one job.
TEXT_LIMIT = 50_000
#: Characters of a text in a list, and of a log line.
LINE_LIMIT = 200
LOG_LINE_LIMIT = 2_000
#: Jobs of a worker that are named.
RUNNING_LIMIT = 20


def overview_json(
    counts: Mapping[JobState, int], meta: QueueMeta, workers: list[WorkerInfo]
) -> dict[str, Any]:
    """Return a queue as a whole."""
    limit = meta.rate_limit
    return {
        "counts": {state.value: count for state, count in counts.items()},
        "is_paused": meta.is_paused,
        "version": meta.version,
        "concurrency": meta.concurrency,
        "rate_limit": limit and {"max": limit.max, "duration": limit.duration},
        "workers": [worker_json(worker) for worker in workers],
    }


def worker_json(worker: WorkerInfo) -> dict[str, Any]:
    """Return a worker and the first of its jobs, with the seconds for which each has run."""
    now = worker.last_heartbeat + worker.silent_for
    return {
        "consumer": worker.consumer,
        "host": worker.host,
        "pid": worker.pid,
        "is_paused": worker.is_paused,
        "concurrency": worker.concurrency,
        "active": worker.active,
        "silent_for": worker.silent_for,
        "loop_lag": worker.loop_lag,
        "running": [
            {"id": job_id, "runs_for": max(0.0, now - started_on)}
            for job_id, started_on in list(worker.running.items())[:RUNNING_LIMIT]
        ],
    }


def metrics_json(
    metrics: Mapping[str, Metrics], latencies: Mapping[str, Latency]
) -> dict[str, Any]:
    """Return counts per minute, the newest first, and percentiles of the last hour."""
    return {
        "minutes": {kind: told.data for kind, told in metrics.items()},
        "newest_minute": max(told.newest_minute for told in metrics.values()),
        "seconds": {
            name: {f"p{percent}": latency.percentile(percent) for percent in (50, 90, 99)}
            for name, latency in latencies.items()
        },
    }


def row_json(job: Job) -> dict[str, Any]:
    """Return what a list tells of a job."""
    is_number = isinstance(job.progress, int | float) and not isinstance(job.progress, bool)
    return {
        "id": job.id,
        "name": _line(job.name),
        "state": job.state.value,
        "priority": job.priority,
        "attempts_made": job.attempts_made,
        "attempts": job.attempts,
        "progress": job.progress if is_number else None,
        "consumer": job.consumer,
        "timestamp": job.timestamp,
        "delay_until": job.delay_until,
        "processed_on": job.processed_on,
        "finished_on": job.finished_on,
        "failed_reason": job.failed_reason and _line(job.failed_reason.partition("\n")[0]),
    }


def job_json(job: Job, explanation: Explanation) -> dict[str, Any]:
    """Return everything of a job but its log."""
    return row_json(job) | {
        "explanation": explanation.sentence,
        "attempts_started": job.attempts_started,
        "stalled_count": job.stalled_count,
        # above 2^53, which JavaScript would round
        "fence": None if job.fence is None else str(job.fence),
        "scheduler_id": job.scheduler_id,
        "last_stall": job.last_stall and _stall_json(job.last_stall),
        "texts": {
            "failed_reason": _excerpt(job.failed_reason or ""),
            "stacktrace": _excerpt("\n".join(job.stacktrace)),
            "data": _excerpt(_pretty(job.data)),
            "options": _excerpt(_pretty(job.options)),
            "progress": _excerpt("" if job.progress is None else _pretty(job.progress)),
            "returnvalue": _excerpt(
                _pretty(job.returnvalue) if job.state is JobState.COMPLETED else ""
            ),
        },
    }


def _stall_json(stall: Stall) -> dict[str, Any]:
    return {
        "at": stall.at,
        "limit": stall.limit,
        "consumer": stall.consumer,
        "host": stall.host,
        "pid": stall.pid,
        "last_heartbeat": stall.last_heartbeat,
        "loop_lag": stall.loop_lag,
    }


def log_json(lines: list[str]) -> list[str]:
    """Return log lines, the end of long ones left out."""
    return [_cut(line, LOG_LINE_LIMIT) for line in lines]


def _pretty(value: Any) -> str:
    """JSON as text: JavaScript would round long numbers. What a serializer made may be no JSON."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2, default=repr).decode()


def _excerpt(text: str) -> dict[str, Any]:
    return {"text": text[:TEXT_LIMIT], "left_out": max(0, len(text) - TEXT_LIMIT)}


def _line(text: str) -> str:
    return _cut(text, LINE_LIMIT)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
