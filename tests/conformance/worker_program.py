"""A worker in a process of its own, for tests that kill or stop it.

It tells what happens in a list of Redis, `probe:<queue>`: "started <job>", "cancelled <job>",
"late <call>" for each call after its cancellation that was refused. A job runs until
something is pushed to the list `go:<queue>`; one that is named "parent" adds two children first
and tells "added children", one that is named "quick" ends at once and tells nothing.
"""

import asyncio
import sys
from collections.abc import Awaitable

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff

from vqueue import FlowJob, Job, JobOptions, LeaseLost, Queue, Worker


class Program:
    """One worker and what it tells."""

    def __init__(self, queue_name: str, redis_url: str) -> None:
        self._queue_name = queue_name
        self._redis_url = redis_url
        # its tests cut connections: that must not fail its jobs
        retry = Retry(ConstantBackoff(0.01), 100)
        self._redis = Redis.from_url(redis_url, retry=retry)

    async def _tell(self, line: str) -> None:
        telling: Awaitable[int] = self._redis.rpush(f"probe:{self._queue_name}", line)  # type: ignore[assignment]
        await telling

    async def handle(self, job: Job) -> str:
        """Run until told to go on."""
        if job.name == "quick":
            return "from the process"
        await self._tell(f"started {job.id}")
        if job.name == "parent":
            await self._add_children(job)
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

    async def _add_children(self, job: Job) -> None:
        children = [
            FlowJob(name="child", options=JobOptions(job_id=f"{job.id}-{k}")) for k in (1, 2)
        ]
        async with Queue(self._queue_name, self._redis_url) as queue:
            await queue.add_children(job, children)
        await self._tell("added children")


async def main(queue_name: str, redis_url: str, lease: str, concurrency: str) -> None:
    """Work until killed."""
    program = Program(queue_name, redis_url)
    worker = Worker(
        queue_name,
        program.handle,
        redis_url,
        lock_duration=float(lease),
        concurrency=int(concurrency),
    )
    await worker.run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
