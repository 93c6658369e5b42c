"""Consumers of streams: a name for each process start, and the end of names nobody stands behind.

Workers and event subscribers have them, and Redis reads their list only whole. A process that
closes takes its own along; a duty forgets those of processes that died.
"""

from __future__ import annotations

import secrets
from typing import Any

from redis.exceptions import ResponseError

from vqueue.connection import Client
from vqueue.keys import GROUP, QueueKeys
from vqueue.scripts import MAX_BATCH, Scripts

#: Milliseconds without a read after which a consumer is forgotten that holds nothing. One that
#: lives after all is made anew by its next read.
_SILENT_MS = 600_000


def new_consumer() -> str:
    """Make a consumer name that no other worker has."""
    return secrets.token_hex(5)


async def stream_info(client: Client, what: str, *names: str) -> list[dict[str, Any]]:
    """Return the reply of XINFO GROUPS or CONSUMERS; empty where there is no such stream or
    group."""
    try:
        replies = await client.execute("XINFO", what, *names)
    except ResponseError as error:
        if str(error).startswith(("no such key", "NOGROUP")):
            return []
        raise
    return [
        {name.decode(): value for name, value in zip(reply[::2], reply[1::2], strict=True)}
        for reply in replies
    ]


class ForgetConsumers:
    """Forgets consumers that hold nothing and have fallen silent."""

    interval = 60.0

    def __init__(
        self, client: Client, scripts: Scripts, keys: QueueKeys, *, silent_ms: int = _SILENT_MS
    ) -> None:
        self._client = client
        self._scripts = scripts
        self._keys = keys
        self._silent_ms = silent_ms

    async def run_once(self) -> None:
        """Look at the workers' group of both lanes, and at those of the event subscribers."""
        await self._forget("ready", self._keys.ready, GROUP)
        await self._forget("express", self._keys.express, GROUP)
        for group in await stream_info(self._client, "GROUPS", self._keys.ev):
            await self._forget("ev", self._keys.ev, group["name"].decode())

    async def _forget(self, stream: str, key: str, group: str) -> None:
        """Forget those of one group, 250 a call."""
        silent = [
            consumer["name"].decode()
            for consumer in await stream_info(self._client, "CONSUMERS", key, group)
            if consumer["pending"] == 0 and consumer["idle"] > self._silent_ms
        ]
        for start in range(0, len(silent), MAX_BATCH):
            await self._scripts.forget_consumers(
                stream=stream, group=group, names=silent[start : start + MAX_BATCH]
            )
