"""The leases of a worker's running jobs, renewed from a thread of their own.

The thread has its own event loop and connection, so a handler that blocks the worker's
loop does not lose its jobs. It decides only when a lease is gone; cancelling the handler
is posted to the worker's loop.

A lease is gone when the server says so, or when no heartbeat has succeeded for 80 % of
its length by the local monotonic clock: the worker then stops before anyone else may
start the job, even when it cannot reach Redis.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from vqueue.connection import RedisSource, open_client
from vqueue.errors import QueueUnavailable
from vqueue.keys import QueueKeys
from vqueue.scripts import MAX_BATCH, Scripts

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: Share of the lease after which a worker that cannot renew gives its jobs up.
SELF_CANCEL_SHARE = 0.8


class LeaseKeeper:
    """Renews the leases of the tokens that are held; reports the lost ones.

    `on_lost` is called in the event loop that called `start`, with the tokens; so is
    `on_cancelled`, at every heartbeat until they are dropped, with the reasons (JSON) by token.
    """

    def __init__(
        self,
        redis: RedisSource,
        keys: QueueKeys,
        *,
        consumer: str,
        lease: float,
        on_lost: Callable[[Sequence[bytes]], None],
        on_cancelled: Callable[[Mapping[bytes, bytes]], None],
    ) -> None:
        self._redis = redis
        self._keys = keys
        self._consumer = consumer
        self._lease = lease
        self._period = min(lease / 3, 1.0)
        self._on_lost = on_lost
        self._on_cancelled = on_cancelled
        #: token → monotonic time of the last moment at which the lease was known to start
        self._held: dict[bytes, float] = {}
        self._owner: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._main, name="vqueue-lease", daemon=True)

    def start(self) -> None:
        """Start the thread; lost leases are reported to the running event loop."""
        self._owner = asyncio.get_running_loop()
        self._loop = asyncio.new_event_loop()
        self._thread.start()

    def hold(self, tokens: Iterable[bytes], since: float) -> None:
        """Renew these leases, which started no earlier than `since` (time.monotonic)."""
        self._held.update(dict.fromkeys(tokens, since))

    def drop(self, token: bytes) -> None:
        """Stop renewing: the job was settled, or is lost. Safe to repeat."""
        self._held.pop(token, None)

    async def stop(self) -> None:
        """End the thread and wait for it."""
        if self._loop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
            await asyncio.to_thread(self._thread.join)

    def _main(self) -> None:
        with asyncio.Runner(loop_factory=self._thread_loop) as runner:
            runner.run(self._renew_until_stopped())

    def _thread_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            raise RuntimeError("the lease thread runs after start() only")
        return self._loop

    async def _renew_until_stopped(self) -> None:
        # a reply must not take so long that the self-cancellation comes too late
        timeout = min(5.0, max(0.05, self._lease * 0.2))
        client = open_client(self._redis, reply_timeout=timeout, connect_timeout=timeout)
        scripts = Scripts(client, self._keys)
        try:
            while not self._stopping.is_set():
                await self._renew(scripts)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), self._period)
        finally:
            await client.aclose()

    async def _renew(self, scripts: Scripts) -> None:
        tokens = list(self._held.copy())
        for start in range(0, len(tokens), MAX_BATCH):
            batch = tokens[start : start + MAX_BATCH]
            sent_at = time.monotonic()
            try:
                beat = await scripts.heartbeat(
                    consumer=self._consumer, lease_ms=round(self._lease * 1000), tokens=batch
                )
            except QueueUnavailable as error:
                logger.warning("heartbeat of %d jobs got no answer: %s", len(batch), error)
                break
            except Exception:
                # a duty's loop edge: the leases run out if this goes on
                logger.exception("heartbeat of %d jobs was refused", len(batch))
                break
            lost = set(beat.lost)
            for token in batch:
                if token in self._held and token not in lost:
                    self._held[token] = sent_at
            self._report(lost)
            if beat.cancelled:
                self._post(self._on_cancelled, beat.cancelled)
        limit = time.monotonic() - SELF_CANCEL_SHARE * self._lease
        self._report([token for token, since in self._held.copy().items() if since < limit])

    def _report(self, tokens: Sequence[bytes] | set[bytes]) -> None:
        lost = [token for token in tokens if self._held.pop(token, None) is not None]
        if lost:
            self._post(self._on_lost, lost)

    def _post(self, call: Callable[[T], None], what: T) -> None:
        if self._owner is not None and not self._owner.is_closed():
            self._owner.call_soon_threadsafe(call, what)
