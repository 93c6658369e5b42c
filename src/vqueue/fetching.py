"""Fetching: when a worker takes jobs, and when it sleeps, is paused or has ended."""

from __future__ import annotations

import asyncio
import logging

from redis.exceptions import RedisError

from vqueue.connection import is_transient
from vqueue.errors import QueueUnavailable
from vqueue.holdings import Holdings
from vqueue.wake import IDLE_BLOCK, WakeKey

logger = logging.getLogger(__name__)


class Fetcher:
    """Takes jobs while slots are free, and sleeps on the wake key while there are none."""

    def __init__(
        self, holdings: Holdings, wake_key: WakeKey, *, consumer: str, lease: float
    ) -> None:
        self._holdings = holdings
        holdings.on_idle = self._take_ahead
        #: A job may be handed out at any moment of a sleep: its lease counts from the beginning.
        self._block = min(IDLE_BLOCK, lease / 4)
        self._wake_key = wake_key
        self._consumer = consumer
        self._stopping = False
        #: Cleared while no job is to be taken.
        self._resumed = asyncio.Event()
        self._resumed.set()

    @property
    def is_paused(self) -> bool:
        """Whether `pause` was called, and `resume` was not."""
        return not self._resumed.is_set()

    async def run(self) -> None:
        """Take jobs until `stop`. Outages of Redis are waited out."""
        pause = 0.05
        woken = False  # it has a wake-up that another worker could use
        while not self._stopping:
            try:
                taken = await self._holdings.taken_ahead()
                await self._holdings.find_lost_jobs()
                if taken is None:
                    if self.is_paused or (woken and self._holdings.free_slots <= 0):
                        # the sleep that was ended may have got a wake-up, too
                        await self._holdings.release(())
                        woken = False
                        await self._resumed.wait()
                    elif self._holdings.free_slots <= 0:
                        self._holdings.changed.clear()
                        await self._holdings.changed.wait()
                    else:
                        taken = await self._holdings.take()
                if taken is not None:
                    # the call has passed a wake-up on, if there was more to take
                    is_empty, due_ms = taken
                    await asyncio.sleep(0)  # handlers start before it goes to sleep
                    sleeps = is_empty and self._holdings.is_taking
                    woken = sleeps and await self._sleep(due_ms)
                pause = 0.05
            except (QueueUnavailable, RedisError, OSError) as error:
                if isinstance(error, RedisError) and not is_transient(error):
                    raise
                logger.warning("worker %s waits for Redis: %s", self._consumer, error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 1.0)
        await self._holdings.taken_ahead()
        # a finish that is under way may still start jobs, later ones take none
        await self._holdings.quiesce()
        await self._holdings.release_lost()

    async def _sleep(self, due_ms: int) -> bool:
        return await self._wake_key.sleep(due_ms, longest=self._block, on_asleep=self._take_ahead)

    def _take_ahead(self) -> None:
        self._holdings.take_ahead(self._wake_key.follow_with)

    def pause(self) -> None:
        """Take no more jobs; a call that is under way may still start some. Safe to repeat."""
        self._resumed.clear()
        self._holdings.is_taking = False
        self.rouse()

    def resume(self) -> None:
        """Take jobs again, unless it was stopped. Safe to repeat."""
        self._holdings.is_taking = not self._stopping
        self._resumed.set()

    def stop(self) -> None:
        """End `run`. Safe to repeat."""
        self._stopping = True
        self._holdings.is_taking = False
        self._resumed.set()
        self.rouse()

    def rouse(self) -> None:
        """Look at the state of things again, whatever is waited for."""
        self._holdings.changed.set()
        self._wake_key.rouse()
