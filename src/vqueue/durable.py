"""DurableEvents: a named subscriber that misses no event, over any number of processes.

Model. The subscriber is a consumer group of the event stream: each batch goes to one of its
processes, and comes again, to that one or to another, until it is acknowledged. Events are
kept for a group that has not read them, up to twenty times the stream's usual length.

Gaps. A group that is new, or that has lost events (it was away for too long, or Redis was
replaced), gets a batch with `gap`: whoever gets it reads the queue itself, by `all_jobs`, and
acknowledges. Until then the batch comes again; one process at a time gets it.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from redis.exceptions import RedisError

from vqueue.connection import BLOCK_MARGIN, is_transient, open_client
from vqueue.errors import QueueUnavailable
from vqueue.job import Job
from vqueue.job_events import JobEvent, expand
from vqueue.job_reading import job_from_snapshot
from vqueue.keys import QueueKeys, check_name
from vqueue.scripts import MAX_BATCH, Scripts
from vqueue.sources import RedisSource
from vqueue.subscription import BLOCK, Entry, Subscription
from vqueue.walk import all_job_ids

logger = logging.getLogger(__name__)

#: Seconds between two looks for what processes that are gone had read, about.
_CLAIM_INTERVAL = 15.0
#: Seconds between two offers of a gap that nobody has closed.
_GAP_INTERVAL = 1.0
#: Seconds until the next try while Redis is away: doubles.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class EventBatch:
    """Events in their order; or, with `gap`, the notice that some are missing."""

    events: Sequence[JobEvent]
    #: What is known from earlier events must be read again; there are no `events` then.
    gap: bool = False
    _acknowledge: Callable[[], Awaitable[None]] = field(repr=False)

    async def acknowledge(self) -> None:
        """Say that the batch is dealt with. Safe to repeat.

        Without it the batch comes again: when the iteration is entered again, or after 30
        seconds, to whichever process looks first. Raises QueueUnavailable or the driver's error.
        """
        await self._acknowledge()


class DurableEvents:
    """Iterates over batches of events for the subscriber `group` of a queue.

    Every event reaches at least one process of the group at least once: handle it so that a
    repeat does no harm (`JobEvent.version` grows). Batches of different processes have no
    order between them. Outages of Redis are waited out. Use it as an async context manager.
    A queue has at most 100 groups: the iteration of another one raises TooManySubscribers.
    """

    def __init__(self, name: str, redis: RedisSource, *, group: str, prefix: str = "vq") -> None:
        self.name = name
        self.group = check_name(group, what="group")
        self.keys = QueueKeys(name, prefix)
        self._client = open_client(
            redis, key=self.keys.ev, reply_timeout=BLOCK + BLOCK_MARGIN, blocking=True
        )
        self._scripts = Scripts(self._client, self.keys)
        self._subscription = Subscription(self._client, self._scripts, self.keys, group=group)
        self._claim_at = 0.0

    async def __aiter__(self) -> AsyncIterator[EventBatch]:
        pause = _FIRST_PAUSE
        own_pending = True
        while True:
            try:
                # what an iteration before, or a lost reply, has left with this process
                if own_pending:
                    async for entries in self._subscription.unacknowledged():
                        yield self._batch(entries)
                    own_pending = False
                async for batch in self._news():
                    yield batch
                pause = _FIRST_PAUSE
            except (QueueUnavailable, RedisError, OSError) as error:
                if not isinstance(error, QueueUnavailable) and not is_transient(error):
                    raise
                own_pending = True
                logger.warning("%s of %s waits for Redis: %s", self.group, self.name, error)
                await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311
                pause = min(pause * 2, _LONGEST_PAUSE)

    async def _news(self) -> AsyncIterator[EventBatch]:
        """Give what is new, once: abandoned entries, new ones, a gap; wait if there is none."""
        loop = asyncio.get_running_loop()
        if loop.time() >= self._claim_at:
            async for entries in self._subscription.abandoned():
                yield self._batch(entries)
            self._claim_at = loop.time() + _CLAIM_INTERVAL * random.uniform(0.75, 1.25)  # noqa: S311
        gap, end, entries = await self._subscription.read()
        if entries:
            yield self._batch(entries)
        if gap and await self._subscription.lock_resync():
            is_open = True

            async def close_gap() -> None:
                nonlocal is_open
                await self._subscription.close_gap(gap)
                is_open = False

            yield EventBatch(events=(), gap=True, _acknowledge=close_gap)
            if is_open:
                await asyncio.sleep(_GAP_INTERVAL)
        elif not entries:
            await self._subscription.wait(end)

    def _batch(self, entries: Sequence[Entry]) -> EventBatch:
        async def acknowledge() -> None:
            await self._subscription.acknowledge(entries)

        events = [event for entry in entries for event in expand(*entry)]
        return EventBatch(events=events, _acknowledge=acknowledge)

    async def all_jobs(self) -> AsyncIterator[Job]:
        """Give a snapshot of every job: what a subscriber reads after a gap.

        A job that changes meanwhile may be given in either state, or twice; the events that
        come later tell. Holds the right to deal with the gap while it is iterated.
        """
        async for ids in all_job_ids(self._client, self.keys):
            for start in range(0, len(ids), MAX_BATCH):
                part = ids[start : start + MAX_BATCH]
                snapshots = await self._scripts.snapshot(ids=part)
                for job_id, snapshot in zip(part, snapshots.jobs, strict=True):
                    if snapshot is None:
                        continue
                    try:
                        job = job_from_snapshot(job_id, snapshot, queue_name=self.name)
                    except ValueError as error:
                        # one that its producer did not write as JSON must not stop the rest
                        logger.error(
                            "%s of %s leaves out job %s, which cannot be read: %s",
                            *(self.group, self.name, job_id, error),
                            extra={"action": "job_unreadable", "job_id": job_id},
                        )
                        continue
                    yield job
            await self._subscription.lock_resync()

    async def is_caught_up(self) -> bool:
        """Tell whether every event so far is acknowledged, and none was missed."""
        return await self._subscription.is_done()

    async def remove(self) -> bool:
        """Forget the group, so that no events are kept for it; False when there is none.

        A process that goes on iterating makes it anew.
        """
        return await self._scripts.leave_events(group=self.group)

    async def close(self) -> None:
        """Close the connections. Safe to repeat."""
        await self._subscription.leave()
        await self._client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()
