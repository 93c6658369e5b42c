"""streaq. Settings: `best` (uvloop, orjson, as many prefetched tasks as slots)."""

import asyncio
import contextlib
import sys
from datetime import UTC, datetime, timedelta
from importlib.metadata import version

import orjson
import uvloop
from streaq import Worker

from benchmarks.peers.adapter import Adapter, Payload
from benchmarks.peers.serving import serve


class StreaqAdapter(Adapter):
    """streaq with its default idle time-out, results kept for five minutes."""

    guarantees = "XACK + XDEL, heartbeat by XCLAIM; owner checked at the start only; result 5 min"
    can_add_in_bulk = True
    can_delay = True
    can_await = True

    def versions(self) -> dict[str, str]:
        return {name: version(name) for name in ("streaq", "coredis", "uvloop")}

    async def connect(self) -> None:
        self._make(slots=1)
        self._open = contextlib.AsyncExitStack()
        await self._open.enter_async_context(self._worker)

    def _make(self, slots: int) -> None:
        async def noop(data: Payload) -> None:
            self.ran(data)

        self._worker: Worker[None] = Worker(
            redis_url=self.redis_url,
            queue_name=self.queue_name,
            concurrency=slots,
            prefetch=slots,
            handle_signals=False,
            serializer=orjson.dumps,
            deserializer=orjson.loads,
        )
        self._noop = self._worker.task(name="noop")(noop)

    async def disconnect(self) -> None:
        await self._open.aclose()

    async def add(self, data: Payload) -> None:
        await self._noop.enqueue(data)

    async def add_many(self, jobs: list[Payload]) -> None:
        await self._worker.enqueue_many([self._noop.enqueue(data) for data in jobs])

    async def add_later(self, data: Payload, delay_s: float) -> None:
        due = datetime.now(UTC) + timedelta(seconds=delay_s)
        await self._noop.enqueue(data).start(schedule=due)

    async def add_and_await(self, data: Payload) -> None:
        task = await self._noop.enqueue(data)
        await task.result(timeout=30)

    async def start_worker(self, slots: int) -> None:
        await self._open.aclose()
        self._make(slots)
        self._working = asyncio.create_task(self._worker.run_async())

    async def stop_worker(self) -> None:
        self._working.cancel()
        await asyncio.wait([self._working])
        await self.connect()

    async def left_over(self) -> int:
        return int(await self._worker.queue_size())


if __name__ == "__main__":
    uvloop.run(serve(StreaqAdapter(sys.argv[1])))
