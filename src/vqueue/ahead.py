"""The take behind a worker's sleep: sent ahead, for Redis to carry it out when the sleep ends.

It saves a worker that runs nothing a way there and back. Its jobs are handed out before the
worker knows of them, so it asks for few, and an answer that comes late is not relied on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from vqueue.connection import is_transient
from vqueue.handouts import HandOuts
from vqueue.scripts import Scripts, Taken
from vqueue.wake import IDLE_BLOCK
from vqueue.wire import Argument

#: Has Redis carry a command out later; its raw reply, or None when that cannot be.
Follow = Callable[[tuple[Argument, ...]], asyncio.Future[Any] | None]

#: Jobs that such a take asks for: a second one shows whether there are more. A worker that stands
#: still, or has vanished, is handed no more than these.
MOST_AHEAD = 2
#: Share of the lease after which a reply is not relied on: this process has stood still, and
#: others may have the jobs.
_STALE_SHARE = 0.5
#: Seconds after which a sleep has ended in Redis whose connection broke off, and the take behind
#: it has been carried out.
_AFTERMATH = 2 * IDLE_BLOCK


class _Sent(NamedTuple):
    """The take that waits in Redis."""

    reply: asyncio.Future[Any]
    want: int
    sent_at: float


class Answer(NamedTuple):
    """What such a take has got."""

    taken: Taken
    #: Jobs that it has asked for.
    want: int
    #: When it was sent, by the monotonic clock: no job of it was handed out earlier.
    sent_at: float


class TakeAhead:
    """One at a time; counted among the calls that hand out jobs until its answer is there."""

    def __init__(self, scripts: Scripts, hand_outs: HandOuts, *, lease_ms: int) -> None:
        self._scripts = scripts
        self._hand_outs = hand_outs
        self._lease_ms = lease_ms
        self._sent: _Sent | None = None

    @property
    def is_sent(self) -> bool:
        """Whether one waits in Redis, or its answer here."""
        return self._sent is not None

    def send(self, follow: Follow, command: tuple[Argument, ...], *, want: int) -> None:
        """Have a take for so many jobs carried out later, where that can be; `answer` has to
        follow. None must be sent."""
        reply = follow(command)
        if reply is not None:
            self._hand_outs.begin_at_once()
            self._hand_outs.reserved += want
            self._sent = _Sent(reply, want, time.monotonic())

    async def answer(self) -> Answer | None:
        """Wait for what it has got; None when nothing was sent, or nothing came that still holds:
        then jobs may be lost, and are to be looked for."""
        if self._sent is None:
            return None
        reply, want, sent_at = self._sent
        taken: Taken | None = None
        if not reply.done():
            await asyncio.wait([reply])
        self._sent = None
        try:
            raw = reply.result()
            if time.monotonic() - sent_at < _STALE_SHARE * self._lease_ms / 1000:
                taken = self._scripts.taken(raw)
        except Exception as error:
            if not is_transient(error):
                raise
            self._hand_outs.look_again_in(_AFTERMATH)
        finally:
            self._hand_outs.end(reserved=want, answered=taken is not None)
        return None if taken is None else Answer(taken, want, sent_at)

    async def call_off(self) -> None:
        """Wait for what was sent and rely on none of it: its jobs count as lost."""
        if self._sent is not None:
            await asyncio.wait([self._sent.reply])
            self._hand_outs.end(reserved=self._sent.want, answered=False)
            self._sent = None
