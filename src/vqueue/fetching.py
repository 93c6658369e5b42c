"""Fetching: when a worker takes jobs, and when it sleeps, is paused or has ended."""

from __future__ import annotations

import asyncio
import logging
from functools import partial

from redis.exceptions import RedisError

from vqueue.connection import is_transient
from vqueue.errors import QueueUnavailable
from vqueue.holdings import Holdings, Sleep
from vqueue.wake import IDLE_BLOCK, WakeKey

logger = logging.getLogger(__name__)


class Fetcher:
    """Takes jobs while slots are free, and sleeps on the wake key while there are none."""

    def __init__(
        self, holdings: Holdings, wake_key: WakeKey, *, consumer: str, lease: float
    ) -> None:
        self._holdings = holdings
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
        sleep: Sleep | None = None
        while not self._stopping:
            try:
                if self.is_paused:
                    # the sleep that was ended may have got jobs, or a wake-up that another
                    # worker could use
                    await self._holdings.find_lost_jobs()
                    await self._holdings.release(())
                    await self._resumed.wait()
                    sleep = None
                    continue
                if self._holdings.free_slots <= 0:
                    self._holdings.changed.clear()
                    await self._holdings.changed.wait()
                    continue
                taken = await self._holdings.take(sleep)
                is_empty, due_ms = taken or (False, -1)
                sleep = (
                    partial(self._wake_key.sleep, due_ms, longest=self._block) if is_empty else None
                )
                pause = 0.05
            except (QueueUnavailable, RedisError, OSError) as error:
                sleep = None
                if isinstance(error, RedisError) and not is_transient(error):
                    raise
                logger.warning("worker %s waits for Redis: %s", self._consumer, error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 1.0)
        # a finish that is under way may still start jobs, later ones take none
        await self._holdings.quiesce()

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
