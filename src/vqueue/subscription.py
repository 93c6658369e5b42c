"""A durable subscription to a queue's events, shared by any number of processes.

Model. A consumer group of the event stream hands each entry to one of the processes, where
it is pending until it is acknowledged. What a process had read and did not acknowledge, it
reads again itself, or another one claims it after `_CLAIM_IDLE_MS`. Every entry is seen at
least once; entries of different processes have no order.

Gaps. When events are missing (trimmed, the group new or destroyed, Redis replaced), a mark
in Redis says so to all processes, until one of them has read the queue itself and closes it.

Does not own: what the events are for, and when to try again after an error.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from typing import NamedTuple

from redis.exceptions import RedisError, ResponseError

from vqueue.connection import Client
from vqueue.errors import QueueUnavailable
from vqueue.keys import QueueKeys
from vqueue.scripts import Scripts

#: Seconds of one blocking wait; a reply of the client must be allowed to take longer.
BLOCK = 10.0

#: Events of one batch.
_BUDGET = 1000
#: Entries of one batch that were read before.
_REREAD_COUNT = 20
#: Milliseconds after which a read entry that nobody acknowledged changes hands.
_CLAIM_IDLE_MS = 30_000
#: Seconds that a process which leaves waits for Redis.
_LEAVE = 1.0
#: Milliseconds that a process may be silent while it reads the queue.
_RESYNC_LOCK_MS = 30_000


class Entry(NamedTuple):
    """One entry of the event stream, as XRANGE lists it; see events.expand."""

    id: bytes
    fields: list[bytes]


class Batch(NamedTuple):
    """What is new."""

    #: Id at which events were found missing, "" for none.
    gap: str
    #: Later events have ids beyond this one, those so far have not.
    end: str
    entries: list[Entry]


class Subscription:
    """One process's part in a group. The caller closes the client."""

    def __init__(self, client: Client, scripts: Scripts, keys: QueueKeys, *, group: str) -> None:
        self._client = client
        self._scripts = scripts
        self._keys = keys
        self._group = group
        self._consumer = secrets.token_hex(5)
        self._resync_key = f"{keys.prefix}resync:{group}"

    async def read(self) -> Batch:
        """Return what is new; makes the group when there is none. Does not wait.

        After an error, entries may be among the `unacknowledged`.
        """
        gap, end, entries = await self._scripts.read_events(
            group=self._group, consumer=self._consumer, budget=_BUDGET
        )
        return Batch(gap, end, [Entry(*entry) for entry in entries])

    async def wait(self, end: str) -> bool:
        """Sleep until there are events beyond `end`, at most `BLOCK` seconds; tell whether
        there are."""
        reply = await self._client.execute(
            *("XREAD", "COUNT", 1, "BLOCK", int(BLOCK * 1000), "STREAMS", self._keys.ev, end)
        )
        return bool(reply)

    async def unacknowledged(self) -> AsyncIterator[list[Entry]]:
        """Give what this process has read and not acknowledged."""
        after = b"0"
        while True:
            try:
                reply = await self._client.execute(
                    *("XREADGROUP", "GROUP", self._group, self._consumer),
                    *("COUNT", _REREAD_COUNT, "STREAMS", self._keys.ev, after),
                )
            except ResponseError as error:
                if _is_without_group(error):
                    return
                raise
            entries = reply[0][1] if reply else []
            if not entries:
                return
            after = entries[-1][0]
            yield await self._sift(entries)

    async def abandoned(self) -> AsyncIterator[list[Entry]]:
        """Take over and give what processes that are gone had read."""
        cursor = b"0-0"
        while True:
            try:
                cursor, entries, deleted = await self._client.execute(
                    *("XAUTOCLAIM", self._keys.ev, self._group, self._consumer),
                    *(_CLAIM_IDLE_MS, cursor, "COUNT", _REREAD_COUNT),
                )
            except ResponseError as error:
                if _is_without_group(error):
                    return
                raise
            if deleted:
                await self._mark_gap(deleted[-1])
            if entries:
                yield await self._sift(entries)
            if cursor == b"0-0":
                return

    async def leave(self) -> None:
        """Forget this process's consumer, unless it has read what it did not acknowledge.

        Without an answer within a second it is forgotten in time, see consumers.py.
        """
        if self._client.is_closed:
            return
        with suppress(QueueUnavailable, RedisError, OSError):
            async with asyncio.timeout(_LEAVE):
                await self._scripts.forget_consumers(
                    stream="ev", group=self._group, names=[self._consumer]
                )

    async def acknowledge(self, entries: Iterable[Entry]) -> None:
        """Say that nobody needs these entries again. Safe to repeat."""
        ids = [entry.id for entry in entries]
        if ids:
            await self._client.execute("XACK", self._keys.ev, self._group, *ids)

    async def is_done(self) -> bool:
        """Tell whether the processes have acknowledged all events so far, and missed none."""
        number, following, gap = await self._client.execute(
            *("HMGET", self._keys.meta, "n", f"next:{self._group}", f"gap:{self._group}")
        )
        if following is None or gap is not None or int(number or 0) + 1 != int(following):
            return False
        pending = await self._client.execute("XPENDING", self._keys.ev, self._group)
        return bool(pending[0] == 0)

    async def lock_resync(self) -> bool:
        """Take or prolong the right to read the queue; False when another process has it."""
        taken = await self._client.execute(
            *("SET", self._resync_key, self._consumer, "NX", "PX", _RESYNC_LOCK_MS)
        )
        if taken:
            return True
        if await self._client.execute("GET", self._resync_key) != self._consumer.encode():
            return False
        await self._client.execute("PEXPIRE", self._resync_key, _RESYNC_LOCK_MS)
        return True

    async def close_gap(self, gap: str) -> None:
        """Say that the queue has been read, and give the right to do so back.

        A gap that was found meanwhile stays open.
        """
        await self._scripts.close_gap(group=self._group, gap=gap)
        await self._client.execute("DEL", self._resync_key)

    async def _sift(self, entries: list[tuple[bytes, list[bytes] | None]]) -> list[Entry]:
        """Return those that are still there; mark a gap where one was trimmed while pending."""
        trimmed = [Entry(entry_id, []) for entry_id, fields in entries if fields is None]
        if trimmed:
            await self._mark_gap(trimmed[-1].id)
            await self.acknowledge(trimmed)
        return [Entry(entry_id, fields) for entry_id, fields in entries if fields is not None]

    async def _mark_gap(self, entry_id: bytes) -> None:
        await self._client.execute("HSET", self._keys.meta, f"gap:{self._group}", entry_id)


def _is_without_group(error: ResponseError) -> bool:
    """Tell whether Redis came back without its data: the next `read` makes the group."""
    return str(error).startswith("NOGROUP")
