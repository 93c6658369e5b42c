"""Queue: the producer's and the operator's side."""

from __future__ import annotations

from datetime import timedelta

from vqueue.cancelling import Cancelling
from vqueue.cleaning import Cleaning
from vqueue.custom_events import CustomEvents
from vqueue.describing import Describing
from vqueue.editing import Editing
from vqueue.explaining import Explaining
from vqueue.groups import Grouping
from vqueue.keys import check_name
from vqueue.limiting import Limiting
from vqueue.metrics import Measuring
from vqueue.options import DEFAULT_OPTIONS, JobOptions, Retention
from vqueue.parenting import Parenting
from vqueue.partials import Streaming
from vqueue.quantities import to_ms
from vqueue.schedules import Scheduling
from vqueue.serializing import Serializer
from vqueue.sources import RedisSource


class Queue(
    Scheduling,
    Measuring,
    Cleaning,
    Describing,
    Explaining,
    Editing,
    Cancelling,
    Limiting,
    Parenting,
    CustomEvents,
    Grouping,
    Streaming,
):
    """Adds jobs to a queue, looks at them and changes them.

    `redis` is a URL or a redis.asyncio client; either way the queue opens connections of
    its own, and closes them. `repeat_for` is how many seconds a call goes on trying while
    Redis is away before it raises QueueUnavailable. `default_job_options` are the options of
    jobs that are added without their own, `serializer` writes the data of all. `busy_poll` is how
    many seconds (up to 0.001) the event loop looks for the reply to a lone call, doing nothing
    else: for a Redis on the same machine, with a core of its own, where waking up costs a third
    of a call; 0 does not. Use it as an async context manager, or call `close`. One object serves
    any number of tasks of one event loop.
    """

    def __init__(
        self,
        name: str,
        redis: RedisSource,
        *,
        prefix: str = "vq",
        repeat_for: float = 10.0,
        default_job_options: JobOptions = DEFAULT_OPTIONS,
        serializer: Serializer | None = None,
        busy_poll: float | timedelta = 0,
    ) -> None:
        super().__init__(
            name,
            redis,
            prefix=prefix,
            repeat_for=repeat_for,
            default_job_options=default_job_options,
            serializer=serializer,
            busy_poll=busy_poll,
        )

    async def recover_crashed(
        self,
        consumer: str,
        *,
        max_stalled: int = 1,
        remove_on_fail: bool | int | Retention = False,
    ) -> tuple[int, int]:
        """Put the jobs of a worker that was seen to die back to the front of the line.

        For a supervisor, so that nobody waits for the leases. Each job counts a stall; one
        with more than `max_stalled` fails. Returns (jobs back in line, jobs failed). Safe
        to repeat; a worker that lives after all loses its leases.
        """
        check_name(consumer, what="consumer")
        keep = Retention.of(remove_on_fail).to_wire()
        swept = await self._scripts.sweep_all(
            max_stalled=max_stalled, keep=keep, dead_consumer=consumer
        )
        return swept.recovered, swept.failed

    async def claim_turn(self, duty: str, *, seconds: float) -> bool:
        """Tell whether this process may do a duty now; the others may not for `seconds`.

        A turn only spares work: it is not a lock, and a duty must be safe to do twice.
        """
        key = f"{self.keys.prefix}turn:{check_name(duty, what='duty')}"
        ms = to_ms(seconds, what="turn")
        return bool(await self._client.execute("SET", key, "1", "NX", "PX", ms))

    async def ping(self) -> None:
        """Return when Redis answers; raises the driver's error when it does not."""
        await self._client.execute("PING")
