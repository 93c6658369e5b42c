"""Background duties that any worker may run, in any number: each is one bounded script.

A duty has an interval and a `run_once`; `run_duty` is the loop around it.
"""

from __future__ import annotations

import asyncio
import logging
import random
from typing import Protocol

from vqueue.options import Retention
from vqueue.quantities import to_ms
from vqueue.scripts import Scripts

logger = logging.getLogger(__name__)

#: Seconds between two looks for lost entries.
REPAIR_INTERVAL = 60.0


class Duty(Protocol):
    """Something to be done again and again."""

    #: Seconds between two runs.
    interval: float

    async def run_once(self) -> None:
        """Do it once; safe to repeat and to run in several workers at once."""


async def run_duty(duty: Duty, *, at_once: bool = False) -> None:
    """Run a duty until cancelled; a failed run is logged and does not end it.

    The first run comes after an interval, or `at_once`.
    """
    while True:
        if not at_once:
            # spread over the interval: workers started together do not march in step
            await asyncio.sleep(duty.interval * random.uniform(0.75, 1.25))  # noqa: S311
        at_once = False
        try:
            await duty.run_once()
        except Exception:
            logger.exception("%s failed; it runs again in %g s", duty, duty.interval)


class Sweep:
    """Finds stalled jobs: back to the front of the line, or failed above the limit."""

    def __init__(self, scripts: Scripts, *, interval: float, max_stalled: int, keep: str) -> None:
        self.interval = interval
        self._scripts = scripts
        self._max_stalled = max_stalled
        self._keep = keep

    async def run_once(self) -> None:
        """Judge all active jobs by their leases, in steps, and tell parents what is left over."""
        swept = await self._scripts.sweep_all(max_stalled=self._max_stalled, keep=self._keep)
        if swept.recovered or swept.failed:
            logger.warning(
                "%d stalled jobs went back to the line, %d failed at the stalled limit",
                swept.recovered,
                swept.failed,
            )
        if swept.needs_repair:
            await Repair(self._scripts).run_once()


class Repair:
    """Finds entries that were handed out and are pending for nobody."""

    interval = REPAIR_INTERVAL

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts

    async def run_once(self) -> None:
        """Look at all entries, 100 of a lane at a time."""
        while True:
            jobs, more = await self._scripts.repair()
            if jobs:
                logger.warning("%d jobs were pending for nobody and stand in line again", jobs)
            if not more:
                return


class Retain:
    """Lets finished jobs go by their age when no job ends that would take them along."""

    def __init__(self, scripts: Scripts, *, completed: Retention, failed: Retention) -> None:
        self._scripts = scripts
        self._completed = completed.to_wire()
        self._failed = failed.to_wire()
        ages = [to_ms(kept.age, what="age") for kept in (completed, failed) if kept.age is not None]
        #: A tenth of the shorter age, one second to a minute; no age, no hurry.
        self.interval = min(60.0, max(1.0, min(ages, default=600_000) / 10_000))

    async def run_once(self) -> None:
        """Remove all that are too old or too many, 250 at a time."""
        while await self._scripts.retain(completed=self._completed, failed=self._failed):
            pass
