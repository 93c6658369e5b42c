"""Presence: what a worker says of itself while it runs, and what others read of it.

A worker speaks from its lease thread, so that one whose event loop stands still is seen, and
how long it has been standing. Its last words stay for an hour: the sweep keeps them with a job
that stalls.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from vqueue.codec import decode, encode
from vqueue.errors import QueueUnavailable
from vqueue.options import RateLimit
from vqueue.scripts import Scripts

logger = logging.getLogger(__name__)

#: Seconds between two words of a worker that holds jobs, and of one that does not.
BUSY_INTERVAL, IDLE_INTERVAL = 1.0, 15.0
#: Seconds after which a worker that was not heard of is not listed.
SILENT = 3 * IDLE_INTERVAL
#: Seconds for which its last words are kept.
REMEMBERED = 3600.0
#: Jobs that a worker names.
_NAMED_JOBS = 250


class Running(Protocol):
    """A job that a worker runs, see activation.Activation."""

    token: bytes
    started_ms: int

    @property
    def job_id(self) -> str:
        """The job's id."""


class LoopLag:
    """Measures from another thread how late an event loop gets to what it is asked."""

    def __init__(self) -> None:
        self._asked_at: float | None = None
        self._last = 0.0

    def measure(self, loop: asyncio.AbstractEventLoop) -> float:
        """Return the seconds of the last answer, or for which one has been overdue; ask again."""
        overdue = self.overdue()
        if self._asked_at is None and not loop.is_closed():
            self._asked_at = time.monotonic()
            loop.call_soon_threadsafe(self._answer)
        return max(self._last, overdue)

    def overdue(self) -> float:
        """Return the seconds for which an answer has been due; 0 while none is."""
        asked_at = self._asked_at
        return 0.0 if asked_at is None else time.monotonic() - asked_at

    def _answer(self) -> None:
        if self._asked_at is not None:
            self._last = time.monotonic() - self._asked_at
            self._asked_at = None


class Presence:
    """Says what one worker does. Used from its lease thread."""

    def __init__(
        self,
        consumer: str,
        *,
        lease_ms: int,
        concurrency: Callable[[], int],
        running: Callable[[], list[Any]],
        is_paused: Callable[[], bool],
        max_loop_lag_ms: int | None = None,
        limiter: tuple[int, int] | None = None,
    ) -> None:
        self._consumer = consumer
        self._lease_ms = lease_ms
        self._concurrency = concurrency
        self._running = running
        self._is_paused = is_paused
        self._max_loop_lag_ms = max_loop_lag_ms
        self._limiter = limiter
        self._lag = LoopLag()
        self._started_ms = round(time.time() * 1000)
        self._said_at = float("-inf")
        self._was_busy = False
        self._was_stuck = False

    def notices_stuck_loop(self) -> bool:
        """Tell whether the event loop has stood still for longer than it may.

        That is said at once, so that it is known of jobs which are taken over.
        """
        limit_ms, was_stuck = self._max_loop_lag_ms, self._was_stuck
        self._was_stuck = limit_ms is not None and self._lag.overdue() * 1000 > limit_ms
        if self._was_stuck and not was_stuck:
            self._said_at = float("-inf")
            logger.warning(
                "worker %s: its event loop has stood still for more than max_loop_lag (%g s), the "
                "leases of its %d jobs are not renewed; move what blocks into threads or processes",
                self._consumer,
                (limit_ms or 0) / 1000,
                len(self._running()),
                extra={"action": "loop_stuck"},
            )
        return self._was_stuck

    async def say(self, scripts: Scripts, loop: asyncio.AbstractEventLoop) -> None:
        """Say it if it is time. What does not arrive is said again at the next time."""
        lag = self._lag.measure(loop)
        running: list[Running] = self._running()
        silent_for = time.monotonic() - self._said_at
        is_news = bool(running) or self._was_busy
        if silent_for < (BUSY_INTERVAL if is_news else IDLE_INTERVAL):
            return
        self._said_at = time.monotonic()
        self._was_busy = bool(running)
        info = {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "started": self._started_ms,
            "concurrency": self._concurrency(),
            "is_paused": self._is_paused(),
            "lock_duration": self._lease_ms,
            "loop_lag": round(lag * 1000),
            "max_loop_lag": self._max_loop_lag_ms,
            "limiter": self._limiter,
            "active": len(running),
            "running": [
                [one.job_id, one.token.decode(), one.started_ms] for one in running[:_NAMED_JOBS]
            ],
        }
        await scripts.present(consumer=self._consumer, info=encode(info, "what a worker does"))

    async def leave(self, scripts: Scripts) -> None:
        """Say that the worker is gone; without an answer it is forgotten in time."""
        try:
            await scripts.present(consumer=self._consumer, info=b"")
        except QueueUnavailable:
            return


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerInfo:
    """A worker as it spoke last. Times are seconds since the epoch."""

    consumer: str
    host: str
    pid: int
    #: By its own clock.
    started_on: float
    #: By the Redis server's clock.
    last_heartbeat: float
    #: Seconds since then.
    silent_for: float
    concurrency: int
    is_paused: bool
    #: Seconds.
    lock_duration: float
    #: Seconds that its event loop was late, or has stood still.
    loop_lag: float
    #: Seconds that it may stand still before its jobs are taken over, None for ever.
    max_loop_lag: float | None
    #: The rate limit that it brings, which counts where the queue has none.
    limiter: RateLimit | None
    #: Jobs that it holds.
    active: int
    #: Job id → when it was started, by the server's clock; at most 250.
    running: dict[str, float]


def worker_info(consumer: str, seen_ms: int, raw: bytes, *, now_ms: int) -> WorkerInfo:
    """Read what a worker has said."""
    info = decode(raw)
    # a former version does not say these two
    max_loop_lag_ms, limiter = info.get("max_loop_lag"), info.get("limiter")
    return WorkerInfo(
        consumer=consumer,
        host=info["host"],
        pid=info["pid"],
        started_on=info["started"] / 1000,
        last_heartbeat=seen_ms / 1000,
        silent_for=(now_ms - seen_ms) / 1000,
        concurrency=info["concurrency"],
        is_paused=info["is_paused"],
        lock_duration=info["lock_duration"] / 1000,
        loop_lag=info["loop_lag"] / 1000,
        max_loop_lag=None if max_loop_lag_ms is None else max_loop_lag_ms / 1000,
        limiter=RateLimit(max=limiter[0], duration=limiter[1] / 1000) if limiter else None,
        active=info["active"],
        running={job_id: started / 1000 for job_id, _, started in info["running"]},
    )
