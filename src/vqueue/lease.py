"""The leases of a worker's running jobs, renewed from a thread of their own.

The thread has its own event loop and connection, so a handler that blocks the worker's
loop does not lose its jobs. It decides only when a lease is gone; cancelling the handler
is posted to the worker's loop.

A lease is gone when the server says so, or when no heartbeat has succeeded for 80 % of
its length by the local monotonic clock: the worker then stops before anyone else may
start the job, even when it cannot reach Redis. With a `max_loop_lag`, a worker whose loop
stands still for longer lets its leases run out: others go on with its jobs.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from vqueue.connection import open_client
from vqueue.errors import QueueUnavailable
from vqueue.keys import QueueKeys
from vqueue.presence import Presence
from vqueue.scripts import MAX_BATCH, Scripts
from vqueue.sources import RedisSource

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
        presence: Presence,
    ) -> None:
        self._redis = redis
        self._keys = keys
        self._consumer = consumer
        self._lease = lease
        self._on_lost = on_lost
        self._on_cancelled = on_cancelled
        self._presence = presence
        #: token → monotonic time of the last moment at which the lease was known to start
        self._held: dict[bytes, float] = {}
        self._owner: asyncio.AbstractEventLoop | None = None
        #: token → seconds of the lease of a job that has its own
        self._own: dict[bytes, float] = {}
        #: The same once a heartbeat has told Redis: until then the job has the worker's.
        self._granted: dict[bytes, float] = {}
        self._stopping = False
        #: Set to have the thread look before its time.
        self._attention = asyncio.Event()
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

    def hold_for(self, token: bytes, lease: float) -> None:
        """Give a held job a lease of its own, in seconds, with a heartbeat at once.

        Until that has arrived it has the worker's.
        """
        self._own[token] = lease
        self._look()

    def drop(self, token: bytes) -> None:
        """Stop renewing: the job was settled, or is lost. Safe to repeat."""
        self._held.pop(token, None)
        if self._own:
            self._own.pop(token, None)
            self._granted.pop(token, None)

    async def stop(self) -> None:
        """End the thread and wait for it."""
        self._stopping = True
        if self._loop is not None and self._thread.is_alive():
            self._look()
            await asyncio.to_thread(self._thread.join)

    def _look(self) -> None:
        if self._loop is not None:
            # the thread ends by itself, and its loop with it, after `stop` only
            self._loop.call_soon_threadsafe(self._attention.set)

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
        client = open_client(
            self._redis, key=self._keys.meta, reply_timeout=timeout, connect_timeout=timeout
        )
        scripts = Scripts(client, self._keys)
        try:
            while not self._stopping:
                self._attention.clear()
                await self._renew(scripts)
                await self._say(scripts)
                shortest = self._shortest()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(
                        self._attention.wait(), min(shortest / 3, self._lease / 3, 1.0)
                    )
            await self._presence.leave(scripts)
        finally:
            await client.aclose()

    async def _say(self, scripts: Scripts) -> None:
        if self._owner is None:
            return
        try:
            async with asyncio.timeout(self._patience()):
                await self._presence.say(scripts, self._owner)
        except (QueueUnavailable, TimeoutError) as error:
            logger.debug("worker %s was not heard: %s", self._consumer, error)
        except Exception:
            # a duty's loop edge: nothing hangs on it
            logger.exception("worker %s cannot say what it does", self._consumer)

    async def _renew(self, scripts: Scripts) -> None:
        # the leases of a stuck worker run out, unless it moves again before that
        held = {} if self._presence.notices_stuck_loop() else self._by_lease()
        for lease, tokens in held.items():
            for start in range(0, len(tokens), MAX_BATCH):
                if not await self._renew_batch(scripts, lease, tokens[start : start + MAX_BATCH]):
                    break
        now = time.monotonic()
        self._report(
            [
                token
                for token, since in self._held.copy().items()
                if since < now - SELF_CANCEL_SHARE * self._granted.get(token, self._lease)
            ]
        )

    def _shortest(self) -> float:
        """Return the shortest lease in seconds."""
        return min([self._lease, *self._own.copy().values()])

    def _patience(self) -> float:
        """Return the seconds to wait for a reply: the shortest lease must not be overlooked."""
        return min(5.0, max(0.05, self._shortest() * 0.2))

    def _by_lease(self) -> dict[float, list[bytes]]:
        """Return the held tokens by the seconds of their leases."""
        own = self._own.copy()
        groups: dict[float, list[bytes]] = {self._lease: []}
        for token in self._held.copy():
            groups.setdefault(own.get(token, self._lease), []).append(token)
        return groups

    async def _renew_batch(self, scripts: Scripts, lease: float, batch: Sequence[bytes]) -> bool:
        """Renew leases of the same length; False when there was no answer."""
        sent_at = time.monotonic()
        try:
            async with asyncio.timeout(self._patience()):
                beat = await scripts.heartbeat(
                    consumer=self._consumer, lease_ms=round(lease * 1000), tokens=batch
                )
        except (QueueUnavailable, TimeoutError) as error:
            logger.warning("heartbeat of %d jobs got no answer: %s", len(batch), error)
            return False
        except Exception:
            # a duty's loop edge: the leases run out if this goes on
            logger.exception("heartbeat of %d jobs was refused", len(batch))
            return False
        lost = set(beat.lost)
        for token in batch:
            if token in self._held and token not in lost:
                self._held[token] = sent_at
                if lease != self._lease:
                    self._granted[token] = lease
        self._report(lost)
        if beat.cancelled:
            self._post(self._on_cancelled, beat.cancelled)
        return True

    def _report(self, tokens: Sequence[bytes] | set[bytes]) -> None:
        lost = [token for token in tokens if self._held.pop(token, None) is not None]
        if lost:
            self._post(self._on_lost, lost)

    def _post(self, call: Callable[[T], None], what: T) -> None:
        if self._owner is not None and not self._owner.is_closed():
            self._owner.call_soon_threadsafe(call, what)
