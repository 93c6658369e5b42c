"""Metrics: how many jobs ended in each minute, how long they waited and ran, and all of it in
Prometheus' format."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from vqueue.errors import InvalidOption
from vqueue.inspecting import Inspecting
from vqueue.latency import WINDOW_MS, WINDOWS, Latency
from vqueue.schedules import server_time_ms
from vqueue.states import JobState

#: Minutes that are kept one by one; lua/include/events.lua has the same.
MINUTES = 1440
_MINUTE_MS = 60_000
#: What is counted, with what Prometheus is told of it.
_COUNTED = {
    "completed": "Jobs that have completed.",
    "failed": "Jobs that have failed for good.",
    "stalled": "Times that a worker has lost a job.",
    "rejected": "Results, progress and log lines that came after the lease was lost.",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Metrics:
    """How often something has happened to jobs."""

    #: Since the queue began.
    count: int
    #: The same per minute, the newest first, zeros included. The first minute is not over yet.
    data: list[int]
    #: When the newest minute began, in seconds since the epoch by the server's clock.
    newest_minute: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Latencies:
    """Samples of the last hour, about: one job of each call in which a worker ends jobs."""

    #: Seconds from when a job could be taken to when it was. A priority job counts from its
    #: add, and only with its first attempt.
    waiting: Latency
    #: Seconds from when a worker asked for the job to when its handler had ended.
    running: Latency


class Measuring(Inspecting):
    """The part of Queue that measures."""

    async def get_metrics(self, kind: JobState | str, *, start: int = 0, end: int = -1) -> Metrics:
        """Return how many jobs have ``completed``, ``failed`` or ``stalled``, or how many
        results, progress values and log lines were ``rejected`` because the lease was lost: in
        all and per minute.

        `start` and `end` choose minutes (both included): 0 is the present one, -1 the
        oldest of the last 24 hours. Raises InvalidOption for another kind.
        """
        if kind not in _COUNTED:
            raise InvalidOption(f"metrics are kept of {', '.join(_COUNTED)}, not of {kind!r}")
        flat, now_ms = await asyncio.gather(
            self._client.execute("HGETALL", self.keys.metrics(kind)), server_time_ms(self._client)
        )
        counts = {key: int(n) for key, n in zip(flat[::2], flat[1::2], strict=True)}
        newest = now_ms // _MINUTE_MS
        data = [counts.get(b"%d" % (newest - age), 0) for age in range(MINUTES)]
        return Metrics(
            count=sum(counts.values()),
            data=data[start : end + 1 or None],
            newest_minute=newest * _MINUTE_MS / 1000,
        )

    async def get_latencies(self) -> Latencies:
        """Return how long jobs have waited and run during the last hour."""
        window = await server_time_ms(self._client) // WINDOW_MS
        replies = await asyncio.gather(
            *(
                self._client.execute("HGETALL", self.keys.latencies(window - age))
                for age in range(WINDOWS)
            )
        )
        waiting: Counter[int] = Counter()
        running: Counter[int] = Counter()
        for flat in replies:
            for field, count in zip(flat[::2], flat[1::2], strict=True):
                kind = waiting if field.startswith(b"w") else running
                kind[int(field[1:])] += int(count)
        return Latencies(waiting=Latency(buckets=waiting), running=Latency(buckets=running))

    async def to_prometheus(self, labels: Mapping[str, str] | None = None) -> str:
        """Return the queue's metrics as Prometheus reads them (text format 0.0.4).

        `labels` are added to each sample.
        """
        counts, latencies = await asyncio.gather(self.get_job_counts(), self.get_latencies())
        counted = await asyncio.gather(*(self.get_metrics(kind, end=0) for kind in _COUNTED))
        own = {"queue": self.name, **(labels or {})}

        def lines() -> Iterator[str]:
            yield from _header("vqueue_jobs", "gauge", "Jobs in each state.")
            for state, count in counts.items():
                yield _sample("vqueue_jobs", {**own, "state": state.value}, count)
            for (kind, text), metrics in zip(_COUNTED.items(), counted, strict=True):
                metric = f"vqueue_jobs_{kind}_total"
                yield from _header(metric, "counter", text)
                yield _sample(metric, own, metrics.count)
            for name, latency, text in (
                ("waiting", latencies.waiting, "Seconds that jobs of the last hour waited."),
                ("running", latencies.running, "Seconds that jobs of the last hour ran."),
            ):
                metric = f"vqueue_job_{name}_seconds"
                yield from _header(metric, "gauge", text)
                for percent in (50, 90, 99):
                    if (seconds := latency.percentile(percent)) is not None:
                        labelled = {**own, "quantile": f"{percent / 100:g}"}
                        yield _sample(metric, labelled, round(seconds, 6))

        return "".join(f"{line}\n" for line in lines())


def _header(metric: str, kind: str, text: str) -> Iterator[str]:
    yield f"# HELP {metric} {text}"
    yield f"# TYPE {metric} {kind}"


def _sample(metric: str, labels: Mapping[str, str], value: float) -> str:
    pairs = ",".join(f'{name}="{_escaped(text)}"' for name, text in labels.items())
    return (
        f"{metric}{{{pairs}}} {value:g}"
        if isinstance(value, float)
        else (f"{metric}{{{pairs}}} {value}")
    )


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
