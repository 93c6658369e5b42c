"""dramatiq on Redis. Settings: `best` (as many threads as slots, up to 32)."""

import asyncio
import sys
from importlib.metadata import version

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from benchmarks.peers.adapter import Payload
from benchmarks.peers.serving import serve
from benchmarks.peers.threaded import ThreadedAdapter, noop

#: More threads make one interpreter slower.
_MOST_THREADS = 32


class DramatiqAdapter(ThreadedAdapter):
    """dramatiq without a result backend."""

    guarantees = "ack after the handler, worker heartbeats; no lease, no fence, no results"
    can_delay = True

    def versions(self) -> dict[str, str]:
        return {name: version(name) for name in ("dramatiq", "redis", "hiredis")}

    async def connect(self) -> None:
        self._broker = RedisBroker(url=self.redis_url)
        self._noop = dramatiq.actor(
            noop, actor_name="noop", queue_name=self.queue_name, broker=self._broker
        )

    async def disconnect(self) -> None:
        self._broker.close()

    def add_now(self, data: Payload) -> None:
        self._noop.send(data)

    async def add_later(self, data: Payload, delay_s: float) -> None:
        self._noop.send_with_options(args=(data,), delay=round(delay_s * 1000))

    async def start_worker(self, slots: int) -> None:
        self._worker = dramatiq.Worker(self._broker, worker_threads=min(slots, _MOST_THREADS))
        self._worker.start()

    async def stop_worker(self) -> None:
        await asyncio.to_thread(self._worker.stop)

    async def left_over(self) -> int:
        # with delayed and unacknowledged messages
        return int(self._broker.do_qsize(self.queue_name))


if __name__ == "__main__":
    asyncio.run(serve(DramatiqAdapter(sys.argv[1])))
