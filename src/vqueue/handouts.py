"""Calls that hand out jobs, and what a worker must know of them while they are answered.

Any number of takes and finishes may be under way: while Redis works on one, the worker
handles the reply of another. Looking for jobs of a lost reply goes alone, since a job
whose reply is still on its way would look lost, and be run twice.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class HandOuts:
    """Counts the calls that are under way and the slots that they may fill."""

    def __init__(self) -> None:
        #: Slots that calls under way may fill, beyond those that they free.
        self.reserved = 0
        #: Set once a call got no reply: it may have handed out jobs.
        self.reply_lost = False
        #: When to look for jobs of a call whose connection broke off, by the monotonic clock:
        #: Redis may have learned of that later than of the first look.
        self._look_again_at: float | None = None
        self._under_way = 0
        self._none_under_way = asyncio.Event()
        self._none_under_way.set()
        self._gate = asyncio.Lock()

    @property
    def any_unanswered(self) -> bool:
        """Whether jobs may have been handed out that the worker does not know of."""
        return self.reply_lost or self.is_to_look_again or self._under_way > 0

    @property
    def is_to_look_again(self) -> bool:
        """Whether a second look for jobs of a lost reply is still to come."""
        return self._look_again_at is not None

    def look_again_in(self, seconds: float) -> None:
        """Have jobs of a call that broke off looked for after so long, too."""
        self._look_again_at = time.monotonic() + seconds

    def look_again_when_it_is_time(self) -> None:
        """When that time has come, count a reply as lost."""
        if self._look_again_at is not None and time.monotonic() >= self._look_again_at:
            self._look_again_at = None
            self.reply_lost = True

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Wait for the calls that are under way, and keep new ones from starting."""
        async with self._gate:
            await self._none_under_way.wait()
            yield

    async def begin(self) -> None:
        """Wait until a call may start, and count it; `end` follows in every case."""
        async with self._gate:
            self.begin_at_once()

    @property
    def may_begin(self) -> bool:
        """Whether a call may start now."""
        return not (self._gate.locked() or self.reply_lost)

    def begin_at_once(self) -> None:
        """Count a call that starts now; `end` follows in every case."""
        self._under_way += 1
        self._none_under_way.clear()

    def end(self, *, reserved: int, answered: bool) -> None:
        """Count a call off and give the slots back that it had reserved."""
        self.reserved -= reserved
        self._under_way -= 1
        if not answered:
            self.reply_lost = True
        if self._under_way == 0:
            self._none_under_way.set()
