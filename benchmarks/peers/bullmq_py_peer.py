"""BullMQ's Python port. Settings: `best` (uvloop, hiredis, concurrency as asked, addBulk)."""

import sys
from importlib.metadata import version

import uvloop
from bullmq import Job, Queue, Worker

from benchmarks.peers.adapter import Adapter, Payload
from benchmarks.peers.serving import serve


class BullmqPyAdapter(Adapter):
    """bullmq with its default lock and retention."""

    guarantees = "lock token renewed from the event loop, checked when a job ends; results kept"
    can_add_in_bulk = True
    can_delay = True

    def versions(self) -> dict[str, str]:
        return {name: version(name) for name in ("bullmq", "redis", "hiredis", "uvloop")}

    async def connect(self) -> None:
        self._queue = Queue(self.queue_name, {"connection": self.redis_url})

    async def disconnect(self) -> None:
        await self._queue.close()

    async def add(self, data: Payload) -> None:
        await self._queue.add("noop", data)

    async def add_many(self, jobs: list[Payload]) -> None:
        await self._queue.addBulk([{"name": "noop", "data": data} for data in jobs])

    async def add_later(self, data: Payload, delay_s: float) -> None:
        await self._queue.add("noop", data, {"delay": round(delay_s * 1000)})

    async def start_worker(self, slots: int) -> None:
        async def noop(job: Job, _token: str) -> None:
            self.ran(job.data)

        options = {"connection": self.redis_url, "concurrency": slots}
        self._worker = Worker(self.queue_name, noop, options)

    async def stop_worker(self) -> None:
        await self._worker.close()

    async def left_over(self) -> int:
        counts = await self._queue.getJobCounts("wait", "active", "delayed", "prioritized")
        return sum(counts.values())


if __name__ == "__main__":
    uvloop.run(serve(BullmqPyAdapter(sys.argv[1])))
