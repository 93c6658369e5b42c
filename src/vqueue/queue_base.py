"""QueueBase: what every part of Queue needs, its connection and its scripts.

A capability of Queue is a subclass in a file of its own, with methods that are flat on Queue.
"""

from __future__ import annotations

from datetime import timedelta
from types import TracebackType
from typing import Self

from vqueue.busy_polling import check_busy_poll
from vqueue.connection import open_client
from vqueue.keys import QueueKeys
from vqueue.scripts import Scripts
from vqueue.serializing import Serializer, encoder_of
from vqueue.sources import RedisSource


class QueueBase:
    """One queue over one connection; see Queue for the arguments."""

    def __init__(
        self,
        name: str,
        redis: RedisSource,
        *,
        prefix: str,
        repeat_for: float,
        serializer: Serializer | None = None,
        busy_poll: float | timedelta = 0,
    ) -> None:
        self.name = name
        self._encode = encoder_of(serializer)
        self._redis = redis
        self._prefix = prefix
        self.keys = QueueKeys(name, prefix)
        reply_timeout = min(5.0, max(repeat_for, 0.1))
        self._client = open_client(
            redis,
            key=self.keys.meta,
            reply_timeout=reply_timeout,
            connect_timeout=reply_timeout,
            busy_poll=check_busy_poll(busy_poll),
        )
        self._scripts = Scripts(self._client, self.keys, repeat_for=repeat_for)

    async def close(self) -> None:
        """Close the connections. Safe to repeat."""
        await self._client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()
