"""Progress of one attempt as whole percents that never fall."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from enum import Enum

#: Tells somebody the percent, 0 to 100; raising from it ends the attempt.
Report = Callable[[int], Awaitable[None]]


class Phase(Enum):
    """The part of an attempt's way from 0 to 99 percent that each phase covers."""

    #: The source comes down.
    DOWNLOAD = (0, 10)
    #: FFmpeg runs; segments go up meanwhile.
    ENCODE = (10, 95)
    #: The last segments and the playlists go up.
    PUBLISH = (95, 99)


class Meter:
    """Collects advances of any frequency and relays the latest one, never two at a time.

    100 is not the meter's to say: it is told when everything is published.
    """

    def __init__(self, report: Report) -> None:
        self._report = report
        self._percent = 0
        self._risen = asyncio.Event()
        self._finished = False

    def advance(self, phase: Phase, fraction: float) -> None:
        """Note that `fraction` (0 to 1) of a phase is done; falling values are passed over."""
        start, end = phase.value
        percent = int(start + (end - start) * min(max(fraction, 0.0), 1.0))
        if percent > self._percent:
            self._percent = percent
            self._risen.set()

    async def relay(self) -> None:
        """Report the latest percent whenever it has risen, until `finish`."""
        told = 0
        while not (self._finished and told == self._percent):
            await self._risen.wait()
            self._risen.clear()
            if self._percent > told:
                told = self._percent
                await self._report(told)

    def finish(self) -> None:
        """Let `relay` return after one last report of what it has not told yet."""
        self._finished = True
        self._risen.set()
