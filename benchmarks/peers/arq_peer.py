"""arq. Settings: `best` (uvloop, a poll every 10 ms), `defaults` (a poll every 500 ms)."""

import asyncio
import contextlib
import sys
from importlib.metadata import version
from typing import Any

import uvloop
from arq import create_pool, func
from arq.connections import RedisSettings
from arq.worker import Worker

from benchmarks.peers.adapter import Adapter, Payload
from benchmarks.peers.serving import serve

_POLL_S = {"best": 0.01, "defaults": 0.5}


class ArqAdapter(Adapter):
    """arq with its default time-outs, results kept for an hour."""

    guarantees = "an in-progress key with a time limit; no lease, no fence; polls; result 1 hour"
    can_delay = True
    can_await = True

    def versions(self) -> dict[str, str]:
        return {name: version(name) for name in ("arq", "redis", "hiredis", "uvloop")}

    async def connect(self) -> None:
        settings = RedisSettings.from_dsn(self.redis_url)
        self._pool = await create_pool(settings, default_queue_name=self.queue_name)

    async def disconnect(self) -> None:
        await self._pool.aclose()

    async def add(self, data: Payload) -> None:
        await self._pool.enqueue_job("noop", data)

    async def add_later(self, data: Payload, delay_s: float) -> None:
        await self._pool.enqueue_job("noop", data, _defer_by=delay_s)

    async def add_and_await(self, data: Payload) -> None:
        job = await self._pool.enqueue_job("noop", data)
        await job.result(timeout=30, poll_delay=0.005)

    async def start_worker(self, slots: int) -> None:
        async def noop(_context: dict[Any, Any], data: Payload) -> None:
            self.ran(data)

        self._worker = Worker(
            functions=[func(noop, name="noop")],
            queue_name=self.queue_name,
            redis_settings=RedisSettings.from_dsn(self.redis_url),
            max_jobs=slots,
            poll_delay=_POLL_S[self.setting],
            handle_signals=False,
        )
        self._working = asyncio.create_task(self._worker.async_run())

    async def stop_worker(self) -> None:
        self._worker.allow_pick_jobs = False
        await asyncio.gather(*self._worker.tasks.values())
        self._working.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._working
        await self._worker.close()

    async def left_over(self) -> int:
        return int(await self._pool.zcard(self.queue_name))


if __name__ == "__main__":
    uvloop.run(serve(ArqAdapter(sys.argv[1])))
