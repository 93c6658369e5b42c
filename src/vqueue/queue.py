"""Queue: the producer's and the operator's side."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

from vqueue.batching import Batcher
from vqueue.codec import encode
from vqueue.connection import RedisSource
from vqueue.errors import InvalidOption
from vqueue.job import Job, JobState, job_from_snapshot, new_job_id
from vqueue.keys import check_name
from vqueue.options import DEFAULT_OPTIONS, JobOptions, Retention, to_ms
from vqueue.queue_base import QueueBase
from vqueue.record import NewRecord
from vqueue.scripts import MAX_BATCH

#: Order of counts.lua.
_COUNTED = (
    JobState.WAITING,
    JobState.PRIORITIZED,
    JobState.DELAYED,
    JobState.ACTIVE,
    JobState.COMPLETED,
    JobState.FAILED,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class NewJob:
    """One job of `Queue.add_bulk`."""

    name: str
    data: Any = None
    options: JobOptions = DEFAULT_OPTIONS


class Queue(QueueBase):
    """Adds jobs to a queue and looks at them.

    `redis` is a URL or a redis.asyncio client; either way the queue opens connections of
    its own, and closes them. `repeat_for` is how many seconds a call goes on trying while
    Redis is away before it raises QueueUnavailable. Use it as an async context manager, or
    call `close`. One object serves any number of tasks of one event loop.
    """

    def __init__(
        self, name: str, redis: RedisSource, *, prefix: str = "vq", repeat_for: float = 10.0
    ) -> None:
        super().__init__(name, redis, prefix=prefix, repeat_for=repeat_for)
        self._adds: Batcher[NewRecord, int] = Batcher(
            self._send_adds, max_items=MAX_BATCH, at_once=2
        )

    async def _send_adds(self, jobs: Sequence[NewRecord]) -> list[int]:
        return await self._scripts.add(jobs=jobs)

    async def add(self, name: str, data: Any = None, **options: Any) -> Job:
        """Add a job; the keywords are those of JobOptions.

        Returns the job as added. With a `job_id` that exists nothing changes and the
        job's `is_duplicate` is True, so a repeated add is safe; ids of removed jobs are
        remembered for ten minutes. Raises InvalidOption for a name, data or option that
        is refused, QueueFull, QueueUnavailable.
        """
        return await self._add(NewJob(name=name, data=data, options=_job_options(options)))

    async def _add(self, new: NewJob) -> Job:
        job, args = self._prepare(new)
        if await self._adds.submit(args, size_bytes=len(args.rest)) == 0:
            job.is_duplicate = True
        return job

    async def add_bulk(self, jobs: Iterable[NewJob]) -> list[Job]:
        """Add jobs in their order, 250 (or 1 MB of data) to a call, two calls under way.

        All are checked before the first one is sent. Each call is atomic, the whole is
        not: after an error some may have been added, and when the connection breaks a
        later call may come before an earlier one. Repeat it with the same `job_id`s and
        nothing is added twice. Raises as `add`.
        """
        prepared = [self._prepare(job) for job in jobs]
        added: list[Job] = []
        under_way: asyncio.Task[list[Job]] | None = None
        try:
            for batch in _batches(prepared):
                before, under_way = under_way, asyncio.create_task(self._add_batch(batch))
                await asyncio.sleep(0)  # it is sent while the one before is worked on
                if before is not None:
                    added += await before
            if under_way is not None:
                added += await under_way
        finally:
            # after an error, or a cancellation, the other call ends before this one does
            if under_way is not None and not under_way.done():
                under_way.cancel()
                await asyncio.wait([under_way])
        return added

    async def _add_batch(self, batch: Sequence[tuple[Job, NewRecord]]) -> list[Job]:
        statuses = await self._scripts.add(jobs=[record for _, record in batch])
        jobs = [job for job, _ in batch]
        for job, status in zip(jobs, statuses, strict=True):
            if status == 0:
                job.is_duplicate = True
        return jobs

    def _prepare(self, new: NewJob) -> tuple[Job, NewRecord]:
        name, options = new.name, new.options
        if not isinstance(name, str) or not name:
            raise InvalidOption(f"job name must be a string that is not empty, not {name!r}")
        if options.job_id is None:
            job_id = new_job_id()
        else:
            job_id = check_name(options.job_id, what="job id")
        data = encode(new.data, "data of job %r", name)
        job = Job(id=job_id, name=name, data=new.data, queue_name=self.name)
        if options is DEFAULT_OPTIONS:
            settings = (0, "0", name)
        else:
            delay_ms, place = options.settings
            settings = (delay_ms, place, name)
            job._options = options.wire
            job.priority = options.priority
            if options.priority:
                job.state = JobState.PRIORITIZED
            if delay_ms:
                job.state = JobState.DELAYED
        rest = b"%b\n%b\n%b" % (_encode_name(name), options.encoded, data)
        return job, NewRecord(job_id, rest, settings)

    async def get_job(self, job_id: str) -> Job | None:
        """Return a snapshot of a job, None when the queue does not know it."""
        return (await self.get_jobs([job_id]))[0]

    async def get_jobs(self, job_ids: Sequence[str]) -> list[Job | None]:
        """Return snapshots of jobs in the order of their ids, None for unknown ones."""
        jobs: list[Job | None] = []
        for start in range(0, len(job_ids), MAX_BATCH):
            ids = [check_name(i, what="job id") for i in job_ids[start : start + MAX_BATCH]]
            snapshots = await self._scripts.snapshot(ids=ids)
            jobs += [
                snapshot and job_from_snapshot(job_id, snapshot, queue_name=self.name)
                for job_id, snapshot in zip(ids, snapshots.jobs, strict=True)
            ]
        return jobs

    async def get_job_counts(self) -> dict[JobState, int]:
        """Return how many jobs are in each state, as of one moment."""
        return dict(zip(_COUNTED, await self._scripts.counts(), strict=True))

    async def get_job_logs(self, job_id: str, *, start: int = 0, end: int = -1) -> list[str]:
        """Return log lines from `start` to `end` (both included, negative from the end)."""
        check_name(job_id, what="job id")
        lines = await self._client.execute("LRANGE", self.keys.log(job_id), start, end)
        return [line.decode() for line in lines]

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
        recovered = failed = 0
        while True:
            back, ended, _ = await self._scripts.sweep(
                max_stalled=max_stalled,
                keep=Retention.of(remove_on_fail).to_wire(),
                dead_consumer=consumer,
            )
            if not back and not ended:
                return recovered, failed
            recovered += back
            failed += ended

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

    async def close(self) -> None:
        """Send what was submitted and close the connections. Safe to repeat."""
        await self._adds.drain()
        await super().close()


def _batches(
    prepared: Sequence[tuple[Job, NewRecord]],
) -> Iterator[Sequence[tuple[Job, NewRecord]]]:
    """Cut jobs into what one call takes: 250 jobs, or 1 MB of data."""
    start = size = 0
    for end, (_, record) in enumerate(prepared):
        if end > start and (end - start == MAX_BATCH or size + len(record.rest) > 1 << 20):
            yield prepared[start:end]
            start, size = end, 0
        size += len(record.rest)
    if prepared:
        yield prepared[start:]


@lru_cache(maxsize=256)
def _encode_name(name: str) -> bytes:
    return encode(name, "job name")


def _job_options(options: dict[str, Any]) -> JobOptions:
    if not options:
        return DEFAULT_OPTIONS
    try:
        return JobOptions(**options)
    except TypeError:
        known = sorted(field.name for field in fields(JobOptions) if field.init)
        unknown = sorted(set(options) - set(known))
        if not unknown:
            raise
        raise InvalidOption(
            f"unknown job option {', '.join(unknown)}; the options are {', '.join(known)}"
        ) from None
