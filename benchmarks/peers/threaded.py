"""For queues that know no event loop: their calls block, their handlers run in threads."""

import asyncio
import threading
from abc import abstractmethod
from typing import Any, ClassVar

from benchmarks.peers.adapter import Adapter, Payload, Unsupported


class ThreadedAdapter(Adapter):
    """An adapter whose adds block.

    They block the program's loop, too: it has nothing else to do meanwhile, and a hop into a
    thread would be charged to the queue.
    """

    #: The adapter of this process, for handlers that a queue finds by their module.
    current: ClassVar["ThreadedAdapter"]

    def __init__(self, setting: str) -> None:
        super().__init__(setting)
        self._lock = threading.Lock()
        ThreadedAdapter.current = self

    @abstractmethod
    def add_now(self, data: Payload) -> None:
        """Add one job, blocking."""

    async def add(self, data: Payload) -> None:
        self.add_now(data)

    async def add_concurrently(self, *, count: int, warm: int, in_flight: int) -> dict[str, Any]:
        raise Unsupported("no concurrent adds on one event loop")

    async def work_start(
        self, *, slots: int, expected: int, warm: int = 0, enough: int | None = None
    ) -> dict[str, Any]:
        self._loop = asyncio.get_running_loop()
        return await super().work_start(slots=slots, expected=expected, warm=warm, enough=enough)

    def ran(self, data: Payload) -> None:
        with self._lock:
            complete = self.ledger.record(data["i"], data.get("t"))
        if complete:
            self._loop.call_soon_threadsafe(self.completed.set)


def noop(data: Payload) -> None:
    """The handler, importable by name."""
    ThreadedAdapter.current.ran(data)
