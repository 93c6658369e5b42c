"""Sleeping on the wake key: until there is something to take, or somebody rouses the sleeper."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from vqueue.connection import BLOCK_MARGIN, open_client
from vqueue.errors import QueueUnavailable
from vqueue.keys import QueueKeys
from vqueue.sources import RedisSource
from vqueue.wire import Argument

#: Longest sleep on the wake key in seconds: what a wake-up costs that died with the
#: worker that got it. With the take after it, an idle worker sends 1.4 commands a second.
IDLE_BLOCK = 1.5


class WakeKey:
    """One sleeper on the wake key of a queue, with a connection of its own."""

    def __init__(self, redis: RedisSource, keys: QueueKeys) -> None:
        self._key = keys.wake
        self._client = open_client(
            redis, key=keys.wake, reply_timeout=IDLE_BLOCK + BLOCK_MARGIN, blocking=True
        )
        self._block: asyncio.Timeout | None = None
        self._is_roused = False

    @property
    def is_slept_on(self) -> bool:
        """Whether somebody sleeps at this moment."""
        return self._block is not None

    async def sleep(
        self,
        due_ms: int,
        *,
        longest: float = IDLE_BLOCK,
        on_asleep: Callable[[], None] | None = None,
    ) -> bool:
        """Sleep until something may be takeable, at most `longest` seconds (up to 1.5).

        Returns whether it was woken through the key: no other worker was, then. `due_ms` is
        what a take has answered, `on_asleep` is called when `follow_with` can be. Raises
        QueueUnavailable when Redis does not answer in time.
        """
        block = longest if due_ms < 0 else min(longest, max(due_ms, 1) / 1000)
        self._is_roused = False
        try:
            async with asyncio.timeout(block + BLOCK_MARGIN) as self._block:
                reply = await self._client.execute("BZPOPMIN", self._key, block, on_sent=on_asleep)
                return reply is not None
        except TimeoutError:
            if not self._is_roused:
                raise QueueUnavailable(
                    f"no reply to BZPOPMIN {self._key} after {block + BLOCK_MARGIN:.1f} s"
                ) from None
            return False
        finally:
            self._block = None

    def follow_with(self, command: tuple[Argument, ...]) -> asyncio.Future[Any] | None:
        """Have Redis carry a command out as soon as this sleep ends: it spares a way there and
        back. Once for each sleep; None when it cannot be.

        The reply may be an error, as an exception. The future raises ConnectionError when the
        sleep was ended by `rouse`; the command may have been carried out all the same.
        """
        if self._block is None or self._block.expired():
            return None
        return self._client.execute_behind(*command)

    def rouse(self) -> None:
        """End the sleep, if there is one, and nothing but that. Safe to repeat."""
        self._is_roused = True
        # one that is about to end is no longer to be hurried
        if self._block is not None and not self._block.expired():
            self._block.reschedule(asyncio.get_running_loop().time())

    async def close(self) -> None:
        """Close the connection. Safe to repeat."""
        await self._client.aclose()
