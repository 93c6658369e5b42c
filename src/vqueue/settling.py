"""Settling: what becomes of jobs whose handlers have ended, told to Redis in batches.

Two loops share the work, so that Redis works on one call while the other's reply is handled.
A result is offered again and again until Redis takes it or the job's lease is gone.
"""

from __future__ import annotations

import asyncio
import logging

from vqueue.activation import Activation
from vqueue.errors import QueueUnavailable
from vqueue.holdings import Holdings
from vqueue.latency import LatencySamples
from vqueue.outcome import Outcome
from vqueue.scripts import MAX_HELD_BATCH

logger = logging.getLogger(__name__)

#: Jobs for which one finish call is better than two halves, which cost Redis more and keep it
#: at work while this process handles a reply.
_SMALL_BATCH = 4


class Settler:
    """Settles the jobs of one worker."""

    def __init__(self, holdings: Holdings, latencies: LatencySamples) -> None:
        self._holdings = holdings
        self._latencies = latencies
        self._ended: list[tuple[Activation, Outcome | None]] = []
        self._any_ended = asyncio.Event()
        #: Set when the time for closing is over: Redis is not waited for any more.
        self.giving_up = False

    def job_ended(self, activation: Activation, outcome: Outcome | None) -> None:
        """Settle this job soon; None hands it back, unless its lease is lost."""
        self._ended.append((activation, outcome))
        self._any_ended.set()

    async def run(self) -> None:
        """Settle jobs as they end, until cancelled. Two of these run at a time."""
        while True:
            if not self._ended:
                self._any_ended.clear()
                await self._any_ended.wait()
                continue
            # two calls share what has ended
            most = min(MAX_HELD_BATCH, max(_SMALL_BATCH, -(-self._holdings.concurrency // 2)))
            batch = self._ended[:most]
            del self._ended[:most]
            await self._settle(batch)

    async def _settle(self, batch: list[tuple[Activation, Outcome | None]]) -> None:
        back = [(a.job_id, a.token) for a, outcome in batch if outcome is None and not a.lost]
        if back:
            try:
                await self._holdings.release(back)
            except QueueUnavailable as error:
                logger.warning("jobs not handed back, their leases will run out: %s", error)
        # made once: what they carry, the last progress, must be in every try
        finished = [(a, a.settle(outcome)) for a, outcome in batch if outcome]
        if finished:
            # when the call below is on its way: Redis works meanwhile
            asyncio.get_running_loop().call_soon(self._latencies.note, finished[-1][0])
        pause = 0.05
        while finished := [(a, settlement) for a, settlement in finished if not a.lost]:
            try:
                await self._holdings.finish(finished)
                break
            except QueueUnavailable as error:
                # results are kept and offered again until their leases run out
                if self.giving_up:
                    logger.error("%d results are lost, leases run out: %s", len(finished), error)
                    break
                logger.warning("%d ended jobs wait for Redis: %s", len(finished), error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 1.0)
        self._holdings.give_up(activation for activation, _ in batch)
