"""vqueue's mirror into MongoDB: how fast it catches up, how far it is behind.

Not a queue: it serves operations of its own.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import uvloop
from motor.motor_asyncio import AsyncIOMotorClient

from benchmarks.peers.serving import serve
from vqueue.mirror import MongoMirror

_POLL_S = 0.01


class MirrorProgram:
    """One mirror of one queue, into a collection of the queue's name."""

    def operations(self) -> frozenset[str]:
        return frozenset({"open", "close", "catch_up", "watch", "lags"})

    async def open(self, *, redis_url: str, queue_name: str, mongo_uri: str) -> dict[str, Any]:
        """Make the collection anew, empty."""
        self._client: AsyncIOMotorClient[Any] = AsyncIOMotorClient(mongo_uri, tz_aware=True)
        self._jobs = self._client["bench"][queue_name]
        await self._jobs.drop()
        await self._jobs.create_index("version")
        self._queue = (queue_name, redis_url)
        self._lags_s: dict[str, float] = {}
        return {}

    async def close(self) -> dict[str, Any]:
        """Drop the collection and disconnect."""
        await self._jobs.drop()
        self._client.close()
        return {}

    async def catch_up(self, *, limit_s: float) -> dict[str, Any]:
        """Run the mirror until it has everything; gives the time and the documents completed."""
        started = time.perf_counter()
        async with asyncio.timeout(limit_s), self._mirroring() as mirror:
            while not await mirror.caught_up():  # noqa: ASYNC110 - MongoDB tells nobody
                await asyncio.sleep(_POLL_S)
            seconds = time.perf_counter() - started
        completed = await self._jobs.count_documents({"status": "completed"})
        return {"seconds": seconds, "completed": completed}

    async def watch(self) -> dict[str, Any]:
        """Begin to mirror and to look, every 10 ms, which jobs have become completed."""
        self._watching = asyncio.create_task(self._watch())
        return {}

    async def lags(self, *, count: int, limit_s: float) -> dict[str, Any]:
        """Wait for `count` completed jobs; gives the seconds from each one's end to its document.

        A lag is up to one look too long, never too short.
        """
        async with asyncio.timeout(limit_s):
            while len(self._lags_s) < count:  # noqa: ASYNC110 - filled by a poll
                await asyncio.sleep(_POLL_S)
        self._watching.cancel()
        await asyncio.wait([self._watching])
        return {"lags_s": [round(lag, 4) for lag in self._lags_s.values()]}

    async def _watch(self) -> None:
        seen = 0
        async with self._mirroring():
            while True:
                # documents of one snapshot share their version, and come one after the other
                newer = self._jobs.find(
                    {"version": {"$gte": seen}}, {"status": 1, "finished_at": 1, "version": 1}
                )
                documents = await newer.to_list(None)
                moment = datetime.now(UTC)
                for document in documents:
                    seen = max(seen, document["version"])
                    if document["status"] == "completed":
                        lag = (moment - document["finished_at"]).total_seconds()
                        self._lags_s.setdefault(document["_id"], lag)
                await asyncio.sleep(_POLL_S)

    @asynccontextmanager
    async def _mirroring(self) -> AsyncIterator[MongoMirror]:
        mirror = MongoMirror(*self._queue, self._jobs)
        running = asyncio.create_task(mirror.run())
        try:
            yield mirror
        finally:
            running.cancel()
            await asyncio.wait([running])


if __name__ == "__main__":
    uvloop.run(serve(MirrorProgram()))
