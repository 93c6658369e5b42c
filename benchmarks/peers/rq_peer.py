"""rq. Settings: `best` (SimpleWorker, which runs jobs in its own process, one at a time)."""

import asyncio
import sys
from importlib.metadata import version

from redis import Redis
from rq import Queue, SimpleWorker
from rq.exceptions import StopRequested
from rq.timeouts import TimerDeathPenalty

from benchmarks.peers.adapter import Payload
from benchmarks.peers.serving import serve
from benchmarks.peers.threaded import ThreadedAdapter, noop

#: Its blocking read is 15 s shorter: a stop is seen after a second.
_WORKER_TTL_S = 16


class ThreadWorker(SimpleWorker):  # type: ignore[misc]
    """A SimpleWorker outside of the main thread, where there are no signals."""

    death_penalty_class = TimerDeathPenalty

    def _install_signal_handlers(self) -> None:
        pass

    @property
    def should_run_maintenance_tasks(self) -> bool:
        # Asked before each blocking read. Between those of an empty queue nothing looks whether
        # to stop: a signal handler would raise this there.
        if self._stop_requested:
            raise StopRequested
        return bool(super().should_run_maintenance_tasks)


class RqAdapter(ThreadedAdapter):
    """rq with its default registries; slots do not exist."""

    guarantees = "registries with a heartbeat per job; no fence; result kept for 500 s"
    can_add_in_bulk = True

    def versions(self) -> dict[str, str]:
        return {name: version(name) for name in ("rq", "redis", "hiredis")}

    async def connect(self) -> None:
        self._redis = Redis.from_url(self.redis_url)
        self._queue = Queue(self.queue_name, connection=self._redis)

    async def disconnect(self) -> None:
        self._redis.close()

    def add_now(self, data: Payload) -> None:
        self._queue.enqueue(noop, data)

    async def add_many(self, jobs: list[Payload]) -> None:
        self._queue.enqueue_many([Queue.prepare_data(noop, args=(data,)) for data in jobs])

    async def start_worker(self, slots: int) -> None:
        self._worker = ThreadWorker(
            [self._queue],
            connection=Redis.from_url(self.redis_url),
            worker_ttl=_WORKER_TTL_S,
            log_job_description=False,
        )
        work = asyncio.to_thread(self._worker.work, logging_level="WARNING")
        self._working = asyncio.create_task(work)

    async def stop_worker(self) -> None:
        self._worker._stop_requested = True
        await self._working

    async def left_over(self) -> int:
        return int(self._queue.count) + int(self._queue.started_job_registry.count)


if __name__ == "__main__":
    asyncio.run(serve(RqAdapter(sys.argv[1])))
