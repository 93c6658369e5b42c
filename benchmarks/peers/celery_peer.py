"""Celery on Redis. Settings: `best` (thread pool, results in Redis, a prefetch of 32 per slot)."""

import asyncio
import sys
from importlib.metadata import version

from celery import Celery
from celery.worker import WorkController, state

from benchmarks.peers.adapter import Payload
from benchmarks.peers.serving import serve
from benchmarks.peers.threaded import ThreadedAdapter, noop


class CeleryAdapter(ThreadedAdapter):
    """Celery with its default acknowledgement, which is before the handler."""

    guarantees = "acknowledged before the handler runs: a crash loses jobs; result for a day"
    can_delay = True

    def versions(self) -> dict[str, str]:
        return {name: version(name) for name in ("celery", "kombu", "redis", "hiredis")}

    async def connect(self) -> None:
        self._app = Celery("bench", broker=self.redis_url, backend=self.redis_url)
        self._app.conf.update(
            task_default_queue=self.queue_name,
            worker_prefetch_multiplier=32,
            worker_hijack_root_logger=False,
        )
        self._noop = self._app.task(noop, name="noop")

    async def disconnect(self) -> None:
        self._app.close()

    def add_now(self, data: Payload) -> None:
        self._noop.delay(data)

    async def add_later(self, data: Payload, delay_s: float) -> None:
        self._noop.apply_async((data,), countdown=delay_s)

    async def start_worker(self, slots: int) -> None:
        state.should_stop = None
        self._worker: WorkController = self._app.WorkController(
            concurrency=slots,
            pool_cls="threads",
            loglevel="WARNING",
            without_heartbeat=True,
            without_mingle=True,
            without_gossip=True,
            quiet=True,
        )
        self._working = asyncio.create_task(asyncio.to_thread(self._worker.start))

    async def stop_worker(self) -> None:
        state.should_stop = 0
        await self._working

    async def left_over(self) -> int:
        with self._app.connection_for_read() as connection:
            client = connection.default_channel.client
            return int(client.llen(self.queue_name)) + int(client.hlen("unacked"))


if __name__ == "__main__":
    asyncio.run(serve(CeleryAdapter(sys.argv[1])))
