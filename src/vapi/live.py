"""Live states: one reader of the queue's events per process, handed out by job id.

Model. A subscriber has one slot, not a queue: what it has not taken yet is merged with what
comes, and the newest progress and the newest change win. So a slow client costs no memory and
gets the newest state when it comes back.

Failures. While Redis is away nothing comes. When events were missed, every subscriber is told
to read its document again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from redis.exceptions import RedisError

from vqueue import JobEvent, QueueEvents
from vqueue.job_events import GAP
from vqueue.states import FINAL_STATES
from vworker.backends import mask_credentials

logger = logging.getLogger(__name__)

#: Seconds between two looks for Redis at the start.
_PAUSE = 1.0


@dataclass(kw_only=True, slots=True)
class Notice:
    """What has happened to a job since the last look; versions are those of documents."""

    #: Version of the newest change other than progress; 0 for none.
    changed_at: int = 0
    #: The newest progress value and its version; 0 for none.
    progress: Any = None
    progress_at: int = 0
    #: The `completed` or `failed` event, once there is one.
    final: JobEvent | None = None
    #: Events were missed: nobody knows what changed.
    gap: bool = False
    #: The server stops; nothing will come any more.
    closed: bool = False

    def add(self, event: JobEvent) -> None:
        """Merge a newer event."""
        if event.name == "progress":
            self.progress, self.progress_at = event.data["progress"], event.version
        else:
            self.changed_at = event.version
            # a job that was removed and added again under its id is not final any more
            self.final = event if event.name in FINAL_STATES else None


class Subscription:
    """One client's slot."""

    def __init__(self) -> None:
        self._notice = Notice()
        self._filled = asyncio.Event()

    def fill(self) -> Notice:
        """Return the slot's content to be changed, and wake the client."""
        self._filled.set()
        return self._notice

    async def take(self) -> Notice:
        """Wait until something has happened, and empty the slot. Safe to cancel."""
        await self._filled.wait()
        notice, self._notice = self._notice, Notice(closed=self._notice.closed)
        if not notice.closed:
            self._filled.clear()
        return notice


class LiveStates:
    """The fan-out; `run` is its duty."""

    def __init__(self, queue_name: str, redis_url: str) -> None:
        self._queue_name = queue_name
        self._redis_url = redis_url
        self._subscriptions: dict[str, set[Subscription]] = {}
        self._closed = False

    @contextmanager
    def subscribe(self, job_id: str) -> Iterator[Subscription]:
        """Get what happens to a job from now on."""
        subscription = Subscription()
        if self._closed:
            subscription.fill().closed = True
        self._subscriptions.setdefault(job_id, set()).add(subscription)
        try:
            yield subscription
        finally:
            others = self._subscriptions[job_id]
            others.discard(subscription)
            if not others:
                del self._subscriptions[job_id]

    def close(self) -> None:
        """Tell every subscriber, present and future, that the server stops. Safe to repeat."""
        self._closed = True
        for subscription in self._all():
            subscription.fill().closed = True

    async def run(self) -> None:
        """Hand out events until cancelled; outages of Redis are waited out.

        An error that waiting does not mend is logged with its traceback, and the reader
        starts again: requests go on without it.
        """
        while True:
            try:
                await self._hand_out()
            except Exception:
                logger.exception("the reader of events failed; it starts again")
            await asyncio.sleep(_PAUSE)

    async def _hand_out(self) -> None:
        events = QueueEvents(self._queue_name, self._redis_url)
        try:
            await self._start(events)
            # whoever subscribed before the start has missed what was before it
            self._tell_gap()
            async for event in events:
                if event.name == GAP:
                    self._tell_gap()
                for subscription in self._subscriptions.get(event.job_id, ()):
                    subscription.fill().add(event)
        finally:
            await events.close()

    async def _start(self, events: QueueEvents) -> None:
        while True:
            try:
                await events.start()
            except (RedisError, OSError) as error:
                logger.warning(
                    "waiting for Redis at %s: %s",
                    mask_credentials(self._redis_url),
                    error,
                    extra={"action": "wait"},
                )
                await asyncio.sleep(_PAUSE)
            else:
                return

    def _tell_gap(self) -> None:
        for subscription in self._all():
            subscription.fill().gap = True

    def _all(self) -> Iterator[Subscription]:
        for subscriptions in self._subscriptions.values():
            yield from subscriptions
