"""taskiq with taskiq-redis's stream broker. Settings: `best` (uvloop, orjson, results kept as the
others keep them), `no-results`."""

import asyncio
import sys
from importlib.metadata import version

import uvloop
from redis.asyncio import Redis
from taskiq import AsyncTaskiqDecoratedTask
from taskiq.receiver import Receiver
from taskiq.serializers.orjson_serializer import ORJSONSerializer
from taskiq_redis import RedisAsyncResultBackend, RedisStreamBroker

from benchmarks.peers.adapter import Adapter, Payload
from benchmarks.peers.serving import serve

_CONNECTIONS = 200

#: Seconds that a receiver gets to stop. In most stops of an idle one (13 of 16, with redis-py 8.1)
#: its blocking read outlives the cancellation, and the receiver waits for it until the connection
#: is closed. All jobs have been settled by then.
_STOP_S = 1.0


class TaskiqRedisAdapter(Adapter):
    """taskiq, whose own worker command runs the Receiver that is used here."""

    guarantees = "XACK after the result is saved; entries stay in the stream; no lease, no fence"
    can_await = True

    def versions(self) -> dict[str, str]:
        names = ("taskiq", "taskiq-redis", "redis", "hiredis", "uvloop")
        return {name: version(name) for name in names}

    async def connect(self) -> None:
        broker = RedisStreamBroker(
            self.redis_url,
            queue_name=self.queue_name,
            consumer_id="0",  # its default skips what was added before the first worker
            max_connection_pool_size=_CONNECTIONS,
        )
        if self.setting != "no-results":
            results: RedisAsyncResultBackend[None] = RedisAsyncResultBackend(
                self.redis_url,
                serializer=ORJSONSerializer(),
                result_ex_time=600,
                max_connection_pool_size=_CONNECTIONS,
            )
            broker = broker.with_result_backend(results)
        self._broker = broker.with_serializer(ORJSONSerializer())

        async def noop(data: Payload) -> None:
            self.ran(data)

        self._noop: AsyncTaskiqDecoratedTask[[Payload], None]
        self._noop = self._broker.register_task(noop, task_name="noop")
        await self._broker.startup()

    async def disconnect(self) -> None:
        await self._broker.shutdown()

    async def add(self, data: Payload) -> None:
        await self._noop.kiq(data)

    async def add_and_await(self, data: Payload) -> None:
        task = await self._noop.kiq(data)
        await task.wait_result(check_interval=0.005)

    async def start_worker(self, slots: int) -> None:
        self._broker.is_worker_process = True
        receiver = Receiver(
            self._broker, max_async_tasks=slots, validate_params=False, run_startup=False
        )
        self._stopping = asyncio.Event()
        self._working = asyncio.create_task(receiver.listen(self._stopping))

    async def stop_worker(self) -> None:
        self._stopping.set()
        await asyncio.wait([self._working], timeout=_STOP_S)

    async def left_over(self) -> int:
        async with Redis.from_url(self.redis_url) as redis:
            for group in await redis.xinfo_groups(self.queue_name):
                return int(group["pending"]) + int(group["lag"] or 0)
        return 0


if __name__ == "__main__":
    uvloop.run(serve(TaskiqRedisAdapter(sys.argv[1])))
