"""saq on Redis. Settings: `best` (uvloop, orjson, hiredis)."""

import asyncio
import sys
import time
from importlib.metadata import version
from typing import Any

import orjson
import uvloop
from saq import Worker
from saq.queue.redis import RedisQueue

from benchmarks.peers.adapter import Adapter, Payload
from benchmarks.peers.serving import serve


class SaqAdapter(Adapter):
    """saq with its default timers, results kept for ten minutes."""

    guarantees = (
        "active list and a sweep by job time-out; no lease, no fence; result for 10 minutes"
    )
    can_delay = True
    can_await = True

    def versions(self) -> dict[str, str]:
        return {name: version(name) for name in ("saq", "redis", "hiredis", "uvloop")}

    async def connect(self) -> None:
        self._queue = RedisQueue.from_url(
            self.redis_url,
            name=self.queue_name,
            dump=orjson.dumps,
            load=orjson.loads,
        )
        await self._queue.connect()

    async def disconnect(self) -> None:
        await self._queue.disconnect()

    async def add(self, data: Payload) -> None:
        await self._queue.enqueue("noop", data=data)

    async def add_later(self, data: Payload, delay_s: float) -> None:
        # whole seconds is what saq stores; rounded up, since no job may start too early
        await self._queue.enqueue("noop", data=data, scheduled=int(time.time() + delay_s + 1))

    async def add_and_await(self, data: Payload) -> None:
        await self._queue.apply("noop", data=data)

    async def start_worker(self, slots: int) -> None:
        async def noop(_context: Any, *, data: Payload) -> None:
            self.ran(data)

        self._worker = Worker(
            self._queue,
            functions=[("noop", noop)],
            concurrency=slots,
            shutdown_grace_period_s=1,
        )
        self._working = asyncio.create_task(self._worker.start())

    async def stop_worker(self) -> None:
        await self._worker.stop()
        await self._working

    async def left_over(self) -> int:
        return int(await self._queue.count("incomplete"))


if __name__ == "__main__":
    uvloop.run(serve(SaqAdapter(sys.argv[1])))
