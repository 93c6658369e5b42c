"""vqueue. Settings: `best` (uvloop, `busy_poll`), `no-busy-poll` (uvloop), `defaults` (asyncio's
own loop)."""

import asyncio
import sys
from importlib.metadata import version

import uvloop

from benchmarks.peers.adapter import Adapter, Payload
from benchmarks.peers.serving import serve
from vqueue import Job, JobState, NewJob, Queue, Worker

#: Seconds: a little more than a lone call takes, with Redis on a core of its own.
_BUSY_POLL = 150e-6


class VqueueAdapter(Adapter):
    """vqueue with every promise on: fence, leases, events, results kept."""

    guarantees = (
        "lease renewed from a thread, fence checked when a job ends; events numbered; results kept"
    )
    can_add_in_bulk = True
    can_delay = True
    can_await = True

    def versions(self) -> dict[str, str]:
        names = ("redis", "hiredis", "orjson", *(["uvloop"] if self.setting != "defaults" else []))
        settings = {"busy_poll": f"{_BUSY_POLL * 1e6:.0f} us"} if self.setting == "best" else {}
        return {**{name: version(name) for name in names}, **settings}

    async def connect(self) -> None:
        self._busy_poll = _BUSY_POLL if self.setting == "best" else 0.0
        self._queue = Queue(self.queue_name, self.redis_url, busy_poll=self._busy_poll)

    async def disconnect(self) -> None:
        await self._queue.close()

    async def add(self, data: Payload) -> None:
        await self._queue.add("noop", data)

    async def add_many(self, jobs: list[Payload]) -> None:
        await self._queue.add_bulk([NewJob(name="noop", data=data) for data in jobs])

    async def add_later(self, data: Payload, delay_s: float) -> None:
        await self._queue.add("noop", data, delay=delay_s)

    async def add_and_await(self, data: Payload) -> None:
        job = await self._queue.add("noop", data)
        await job.result()

    async def start_worker(self, slots: int) -> None:
        async def noop(job: Job) -> None:
            self.ran(job.data)

        self._worker = Worker(
            self.queue_name,
            noop,
            self.redis_url,
            concurrency=slots,
            busy_poll=self._busy_poll,
        )
        self._working = asyncio.create_task(self._worker.run())

    async def stop_worker(self) -> None:
        await self._worker.close()
        await self._working

    async def left_over(self) -> int:
        counts = await self._queue.get_job_counts()
        kept = counts[JobState.COMPLETED] + counts[JobState.FAILED]
        return sum(counts.values()) - kept


if __name__ == "__main__":
    chosen = sys.argv[1]
    run = asyncio.run if chosen == "defaults" else uvloop.run
    run(serve(VqueueAdapter(chosen)))
