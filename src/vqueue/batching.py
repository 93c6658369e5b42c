"""Batching without delay: calls made in one turn of the event loop travel together.

No timer: a batch leaves in the next turn, or when the batch before it has been answered.
One call alone leaves at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Reply = TypeVar("Reply")


class Batcher(Generic[Item, Reply]):
    """Collects items and sends them in order, one batch in flight.

    `send` gets at most `max_items` items (fewer when their sizes add up to more than
    `max_bytes`) and answers one reply per item. An error of `send` is raised to each
    caller of that batch.
    """

    def __init__(
        self,
        send: Callable[[Sequence[Item]], Awaitable[Sequence[Reply]]],
        *,
        max_items: int,
        max_bytes: int = 1 << 20,
    ) -> None:
        self._send = send
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._waiting: list[tuple[Item, int, asyncio.Future[Reply]]] = []
        self._sender: asyncio.Task[None] | None = None

    async def submit(self, item: Item, *, size_bytes: int = 0) -> Reply:
        """Send one item with the next batch and return its reply.

        A cancelled caller does not call its item back: it may be sent all the same.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Reply] = loop.create_future()
        self._waiting.append((item, size_bytes, future))
        if self._sender is None:
            self._sender = loop.create_task(self._send_all())
        return await future

    async def drain(self) -> None:
        """Wait until everything submitted so far has been answered."""
        if self._sender is not None:
            await asyncio.wait([self._sender])

    def _next_batch(self) -> list[tuple[Item, int, asyncio.Future[Reply]]]:
        count = size = 0
        for _, size_bytes, _ in self._waiting[: self._max_items]:
            size += size_bytes
            if count and size > self._max_bytes:
                break
            count += 1
        batch = self._waiting[:count]
        del self._waiting[:count]
        return batch

    async def _send_all(self) -> None:
        try:
            while self._waiting:
                batch = self._next_batch()
                try:
                    replies = await self._send([item for item, _, _ in batch])
                except Exception as error:
                    # each caller gets it; one that was cancelled does not want it
                    for _, _, future in batch:
                        if not future.done():
                            future.set_exception(error)
                except BaseException:
                    for _, _, future in batch:
                        future.cancel()
                    raise
                else:
                    for (_, _, future), reply in zip(batch, replies, strict=True):
                        if not future.done():
                            future.set_result(reply)
        finally:
            self._sender = None
