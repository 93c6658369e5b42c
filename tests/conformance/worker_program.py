"""A worker in a process of its own, for tests that kill or stop it.

It tells what happens in a list of Redis, `probe:<queue>`: "started <job>", "cancelled <job>",
"late <call>" for each call after its cancellation that was refused. A job runs until
something is pushed to the list `go:<queue>`.
"""

import asyncio
import sys
from collections.abc import Awaitable

from redis.asyncio import Redis

from vqueue import Job, LeaseLost, Worker


class Program:
    """One worker and what it tells."""

    def __init__(self, queue_name: str, redis_url: str) -> None:
        self._queue_name = queue_name
        self._redis = Redis.from_url(redis_url)

    async def _tell(self, line: str) -> None:
        telling: Awaitable[int] = self._redis.rpush(f"probe:{self._queue_name}", line)  # type: ignore[assignment]
        await telling

    async def handle(self, job: Job) -> str:
        """Run until told to go on."""
        await self._tell(f"started {job.id}")
        try:
            going_on: Awaitable[object] = self._redis.blpop([f"go:{self._queue_name}"])  # type: ignore[assignment]
            await going_on
        except asyncio.CancelledError:
            await self._tell(f"cancelled {job.id}")
            for name, call in (("progress", job.update_progress(99)), ("log", job.log("late"))):
                try:
                    await call
                except LeaseLost:
                    await self._tell(f"late {name}")
            raise
        return "from the process"


async def main(queue_name: str, redis_url: str, lease: str) -> None:
    """Work until killed."""
    program = Program(queue_name, redis_url)
    worker = Worker(queue_name, program.handle, redis_url, lock_duration=float(lease))
    await worker.run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
