"""A worker that ends when there is nothing left to do."""

from __future__ import annotations

from vqueue.attempt import Handler
from vqueue.events import QueueEvents
from vqueue.queue import Queue
from vqueue.sources import RedisSource
from vqueue.states import JobState
from vqueue.worker import Worker

_BUSY = (JobState.WAITING, JobState.PRIORITIZED, JobState.ACTIVE)


async def run_until_idle(
    name: str, handler: Handler, redis: RedisSource, *, concurrency: int = 10, prefix: str = "vq"
) -> None:
    """Run the jobs of a queue, those that they add included, until none waits or is active.

    Delayed jobs are left alone, also those that wait for their next attempt, unless they become
    due meanwhile. Raises what Worker.run raises.
    """
    async with (
        Queue(name, redis, prefix=prefix) as queue,
        QueueEvents(name, redis, prefix=prefix) as events,
        Worker(name, handler, redis, concurrency=concurrency, prefix=prefix),
    ):
        following = aiter(events)
        while True:
            counts = await queue.get_job_counts()
            if not any(counts[state] for state in _BUSY):
                return
            await anext(following)
