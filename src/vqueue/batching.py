"""Batching without delay: calls made in one turn of the event loop travel together.

No timer: a batch leaves in the next turn, or when one before it has been answered. One call
alone leaves at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Reply = TypeVar("Reply")

#: Items for which one batch is better than two halves.
_SMALL_BATCH = 32


class Batcher(Generic[Item, Reply]):
    """Collects items and sends them in order, at most `at_once` batches under way.

    With two the server works on one while the answers to the other are handled. `send`
    gets at most `max_items` items (fewer when their sizes add up to more than `max_bytes`)
    and answers one reply per item. An error of `send` is raised to each caller of that
    batch.
    """

    def __init__(
        self,
        send: Callable[[Sequence[Item]], Awaitable[Sequence[Reply]]],
        *,
        max_items: int,
        max_bytes: int = 1 << 20,
        at_once: int = 1,
    ) -> None:
        self._send = send
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._at_once = at_once
        self._waiting: list[tuple[Item, int, asyncio.Future[Reply]]] = []
        self._senders: set[asyncio.Task[None]] = set()
        #: Answers are given to one batch after the other: what its callers then submit is on its
        #: way to the server, which works on it, before those of the next batch go on.
        self._answering = asyncio.Lock()
        #: Whether a sender was started that has not looked at what waits.
        self._is_starting = False

    def submit(self, item: Item, *, size_bytes: int = 0) -> asyncio.Future[Reply]:
        """Send one item with the next batch; the future gets its reply.

        A cancelled caller does not call its item back: it may be sent all the same.
        """
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, size_bytes, future))
        if not self._is_starting and len(self._senders) < self._at_once:
            self._start_sender()
        return future

    async def drain(self) -> None:
        """Wait until everything submitted so far has been answered."""
        while self._senders:
            await asyncio.wait(self._senders)

    def _start_sender(self) -> None:
        self._is_starting = True
        sender = asyncio.get_running_loop().create_task(self._send_waiting())
        self._senders.add(sender)
        sender.add_done_callback(self._senders.discard)

    def _next_batch(self) -> list[tuple[Item, int, asyncio.Future[Reply]]]:
        most = len(self._waiting)
        if most > _SMALL_BATCH:
            most = -(-most // (1 + self._at_once - len(self._senders)))
        count = size = 0
        for _, size_bytes, _ in self._waiting[: min(most, self._max_items)]:
            size += size_bytes
            if count and size > self._max_bytes:
                break
            count += 1
        batch = self._waiting[:count]
        del self._waiting[:count]
        return batch

    async def _send_waiting(self) -> None:
        self._is_starting = False
        while self._waiting:
            batch = self._next_batch()
            if self._waiting and not self._is_starting and len(self._senders) < self._at_once:
                self._start_sender()
            try:
                replies = await self._send([item for item, _, _ in batch])
                async with self._answering:
                    for (_, _, future), reply in zip(batch, replies, strict=True):
                        if not future.done():
                            future.set_result(reply)
                    await asyncio.sleep(0)
            except Exception as error:
                # each caller gets it; one that was cancelled does not want it
                for _, _, future in batch:
                    if not future.done():
                        future.set_exception(error)
            except BaseException:
                for _, _, future in batch:
                    future.cancel()
                raise
