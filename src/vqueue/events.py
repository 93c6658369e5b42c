"""Following the events of a queue: a reader that notices gaps.

Every transition adds its events in the script that does it, numbered without holes over
the queue. A reader that finds a hole, because entries were trimmed while it was away or
Redis lost data, says so by an event named ``gap``: what it derived from events must then
be read again from the queue.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

from redis.exceptions import RedisError

from vqueue.connection import BLOCK_MARGIN, is_transient, open_client
from vqueue.errors import InvalidOption
from vqueue.job_events import GAP, JobEvent, expand, version_of
from vqueue.keys import QueueKeys
from vqueue.sources import RedisSource

logger = logging.getLogger(__name__)

#: Seconds of one blocking read.
_BLOCK = 10.0
#: Entries of one read; an entry holds at most 250 events.
_READ_COUNT = 20


class QueueEvents:
    """Async iterator over the events of a queue, from a concrete position on.

    Without `last_event_id` it starts at the moment it is entered, and misses nothing from
    then on; with the `id` of an event it goes on after that one. The position "0" is the
    oldest event that is kept. Connection losses are waited out. One task iterates; when it
    leaves the loop and enters it again, it goes on after the last event that it got.
    """

    def __init__(
        self,
        name: str,
        redis: RedisSource,
        *,
        last_event_id: str | None = None,
        prefix: str = "vq",
    ) -> None:
        self.name = name
        self.keys = QueueKeys(name, prefix)
        #: Position of the last event that was handed out; None before the start.
        self.last_event_id = last_event_id
        self._client = open_client(
            redis, key=self.keys.ev, reply_timeout=_BLOCK + BLOCK_MARGIN, blocking=True
        )
        #: Entry after which the next read starts, and the number that must come next.
        self._entry: str | None = None
        self._expected: int | None = None
        #: Events that were read and not handed out yet.
        self._backlog: deque[JobEvent] = deque()

    async def start(self) -> None:
        """Fix the position that iteration starts from. Safe to repeat.

        Raises the driver's error when Redis cannot be reached, InvalidOption for a
        `last_event_id` that is none.
        """
        if self._entry is not None:
            return
        if self.last_event_id is None:
            state = await self._client.execute("HMGET", self.keys.meta, "ms", "seq", "n")
            ms, seq, number = (int(value or 0) for value in state)
            self._entry, self._expected = f"{ms}-{seq}", number + 1
            if state[0] is None:
                await self._skip_what_is_left()
            return
        entry, _, index = self.last_event_id.partition("/")
        if entry == "0":
            self._entry, self._expected = "0-0", 1
            return
        if not all(part.isdecimal() for part in (*entry.split("-", 1), index or "0")):
            raise InvalidOption(
                f"last_event_id {self.last_event_id!r} is not a position: give the id of an "
                'event ("<ms>-<seq>/<index>"), or "0" for the oldest one'
            )
        entries = await self._client.execute("XRANGE", self.keys.ev, entry, entry)
        if entries:
            events = expand(entries[0][0], entries[0][1])
            self._backlog.extend(events[int(index or 0) + 1 :])
            self._expected = events[-1].number + 1
        else:
            # trimmed, or of another Redis: nobody knows how many events came after it
            self._backlog.append(self._gap(entry, missed=None))
        self._entry = entry

    async def _skip_what_is_left(self) -> None:
        """Start behind what a queue that was obliterated, and not used since, has left."""
        for entry, fields in await self._client.execute(
            "XREVRANGE", self.keys.ev, "+", "-", "COUNT", 1
        ):
            self._entry = entry.decode()
            self._expected = expand(entry, fields)[-1].number + 1

    async def seek_end(self) -> None:
        """Go on from this moment, whatever was not handed out yet; not while iterating.

        Raises the driver's error when Redis cannot be reached.
        """
        self._backlog.clear()
        self._entry = self.last_event_id = None
        await self.start()

    def _gap(self, entry: str, *, missed: int | None) -> JobEvent:
        ms, _, seq = entry.partition("-")
        return JobEvent(
            name=GAP,
            job_id="",
            data={"missed": missed},
            id=f"{entry}/-1",
            number=0,
            version=version_of(int(ms), int(seq or 0)),
        )

    async def __aiter__(self) -> AsyncIterator[JobEvent]:
        await self.start()
        pause = 0.05
        while True:
            while self._backlog:
                event = self._backlog.popleft()
                self.last_event_id = event.id
                yield event
            try:
                self._backlog.extend(await self._read())
                pause = 0.05
            except (RedisError, OSError) as error:
                if not is_transient(error):
                    raise
                logger.warning("events of %s wait for Redis: %s", self.name, error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 1.0)

    async def _read(self) -> list[JobEvent]:
        reply = await self._client.execute(
            "XREAD",
            "COUNT",
            _READ_COUNT,
            "BLOCK",
            int(_BLOCK * 1000),
            "STREAMS",
            self.keys.ev,
            self._entry or "0-0",
        )
        events: list[JobEvent] = []
        for entry_id, fields in reply[0][1] if reply else ():
            entry = expand(entry_id, fields)
            first = entry[0].number
            if self._expected is not None and first != self._expected:
                missed = first - self._expected if first > self._expected else None
                events.append(self._gap(entry_id.decode(), missed=missed))
            self._expected = entry[-1].number + 1
            self._entry = entry_id.decode()
            events += entry
        return events

    async def close(self) -> None:
        """Close the connection. Safe to repeat."""
        await self._client.aclose()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()
