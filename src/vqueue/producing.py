"""Producing: the part of Queue that adds jobs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from functools import lru_cache
from typing import Any

from vqueue.batching import Batcher
from vqueue.codec import encode
from vqueue.durability import Durability, add_durably, open_waiting_client
from vqueue.errors import GroupFull, InvalidOption
from vqueue.job import DataT, Job
from vqueue.job_ids import new_job_id
from vqueue.keys import check_name
from vqueue.options import DEFAULT_OPTIONS, JobOptions
from vqueue.record import NewRecord
from vqueue.results import Results
from vqueue.scripts import MAX_BATCH
from vqueue.serializing import Serializer
from vqueue.sources import RedisSource
from vqueue.states import JobState

#: Bytes of data in one call of add.lua.
_MAX_LOAD = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class NewJob:
    """One job of `Queue.add_bulk`."""

    name: str
    data: Any = None
    #: Taken as they are; without any the job gets the queue's `default_job_options`.
    options: JobOptions = DEFAULT_OPTIONS


class Producing(Results):
    """Adds jobs; see Queue for the arguments."""

    def __init__(
        self,
        name: str,
        redis: RedisSource,
        *,
        prefix: str,
        repeat_for: float,
        default_job_options: JobOptions,
        serializer: Serializer | None,
        busy_poll: float | timedelta,
    ) -> None:
        super().__init__(
            name,
            redis,
            prefix=prefix,
            repeat_for=repeat_for,
            serializer=serializer,
            busy_poll=busy_poll,
        )
        if default_job_options.job_id is not None:
            raise InvalidOption(
                "default_job_options must not have a job_id: only one job could be added"
            )
        self._defaults = default_job_options
        self._repeat_for = repeat_for
        #: Connects when it is used.
        self._waiting_client = open_waiting_client(redis, self.keys)
        self._adds: Batcher[NewRecord, int | str] = Batcher(
            self._send_adds, max_items=MAX_BATCH, max_bytes=_MAX_LOAD, at_once=2
        )

    async def _send_adds(self, jobs: Sequence[NewRecord]) -> list[int | str]:
        return await self._scripts.add(jobs=jobs)

    async def add(
        self,
        name: str,
        data: DataT = None,  # type: ignore[assignment]
        *,
        durability: Durability | None = None,
        **options: Any,
    ) -> Job[DataT]:
        """Add a job; the keywords are those of JobOptions, and change the queue's defaults.

        Returns the job as added. With a `job_id` that exists nothing changes and the
        job's `is_duplicate` is True, so a repeated add is safe; ids of removed jobs are
        remembered for ten minutes. When another job stands for it (see Deduplication), the
        job's `is_deduplicated` is True and its `id` is that of the other one. Raises
        InvalidOption for a name, data or option that is refused, QueueFull,
        QueueUnavailable, and NotDurable when it is added without reaching the `durability`.
        """
        chosen = _job_options(self._defaults, options)
        record = self._prepare(name, data, chosen)
        if durability is not None:
            new = NewJob(name=name, data=data, options=chosen)
            return (await self._add_batch([(new, record)], durability))[0]
        status = await self._adds.submit(record, size_bytes=_load(record))
        job = self._job(record, data, chosen)
        if status != 1:
            _note_refusal(job, status)
        if status == -1:
            raise GroupFull([job.id])
        return job

    def job_options(self, **options: Any) -> JobOptions:
        """Return the queue's default options with these changed: for `NewJob` of add_bulk."""
        return _job_options(self._defaults, options)

    async def add_bulk(
        self, jobs: Iterable[NewJob], *, durability: Durability | None = None
    ) -> list[Job]:
        """Add jobs in their order, 250 (or 1 MB of data) to a call, two calls under way.
        Of jobs with a group or a deduplication a call takes 100.

        All are checked before the first one is sent. Each call is atomic, the whole is
        not: after an error some may have been added, and when the connection breaks a
        later call may come before an earlier one. Repeat it with the same `job_id`s and
        nothing is added twice. Raises as `add`.
        """
        prepared = [(new, self._prepare(new.name, new.data, new.options)) for new in jobs]
        added: list[Job] = []
        under_way: asyncio.Task[list[Job]] | None = None
        try:
            for batch in _batches(prepared):
                before = under_way
                under_way = asyncio.create_task(self._add_batch(batch, durability))
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

    async def _add_batch(
        self, batch: Sequence[tuple[NewJob, NewRecord]], durability: Durability | None
    ) -> list[Job]:
        records = [record for _, record in batch]
        if durability is None:
            statuses = await self._scripts.add(jobs=records)
        else:
            statuses = await add_durably(
                self._waiting_client,
                self.keys,
                repeat_for=self._repeat_for,
                durability=durability,
                jobs=records,
            )
        # only now: making them here costs nothing while Redis works on the next call
        jobs = [self._job(record, new.data, new.options) for new, record in batch]
        for job, status in zip(jobs, statuses, strict=True):
            if status != 1:
                _note_refusal(job, status)
        if -1 in statuses:
            pairs = zip(jobs, statuses, strict=True)
            raise GroupFull([job.id for job, status in pairs if status == -1])
        return jobs

    def _prepare(self, name: str, data: Any, options: JobOptions) -> NewRecord:
        """Check a job, and make what is sent."""
        if options is DEFAULT_OPTIONS:
            options = self._defaults
        if not isinstance(name, str) or not name:
            raise InvalidOption(f"job name must be a string that is not empty, not {name!r}")
        if options.job_id is None:
            job_id = new_job_id()
        else:
            job_id = check_name(options.job_id, what="job id")
        encoded = self._encode(data, "data of job %r", name)
        if options is DEFAULT_OPTIONS:
            settings = (0, "0", name)
        else:
            if options.dead_letter is not None:
                self._scripts.check_reach([options.dead_letter])
            delay_ms, place = options.settings
            settings = (delay_ms, place, name)
            options.check_size(encoded, name)
        rest = b"%b\n%b\n%b" % (_encode_name(name), options.encoded, encoded)
        return NewRecord(job_id, rest, settings)

    def _job(self, record: NewRecord, data: Any, options: JobOptions) -> Job:
        """Make the object that stands for a job that was sent."""
        delay_ms, _, name = record.settings
        job = Job(id=record.job_id, name=name, data=data, queue_name=self.name)
        job._queue = self
        if options is DEFAULT_OPTIONS:
            options = self._defaults
        if options is not DEFAULT_OPTIONS:
            job._options = options.wire
            job.priority = options.priority
            if options.priority:
                job.state = JobState.PRIORITIZED
            if delay_ms:
                job.state = JobState.DELAYED
        return job

    async def close(self) -> None:
        """Send what was submitted and close the connections. Safe to repeat."""
        await self._adds.drain()
        await self._waiting_client.aclose()
        await super().close()


def _note_refusal(job: Job, status: int | str) -> None:
    if isinstance(status, str):
        job.id, job.is_deduplicated = status, True
    else:
        job.is_duplicate = status == 0


def _load(record: NewRecord) -> int:
    """Return what a job adds to a call in bytes, of which one takes 1 MB.

    One whose options concern its adding is looked up and placed by itself: a hundred of them
    take as long as 250 others and more.
    """
    size = len(record.rest)
    return max(size, _MAX_LOAD // 100) if record.settings[1].endswith("*") else size


def _batches(
    prepared: Sequence[tuple[NewJob, NewRecord]],
) -> Iterator[Sequence[tuple[NewJob, NewRecord]]]:
    """Cut jobs into what one call takes."""
    start = load = 0
    for end, (_, record) in enumerate(prepared):
        more = _load(record)
        if end > start and (end - start == MAX_BATCH or load + more > _MAX_LOAD):
            yield prepared[start:end]
            start, load = end, 0
        load += more
    if prepared:
        yield prepared[start:]


@lru_cache(maxsize=256)
def _encode_name(name: str) -> bytes:
    return encode(name, "job name")


def _job_options(defaults: JobOptions, options: dict[str, Any]) -> JobOptions:
    if not options:
        return defaults
    try:
        return replace(defaults, **options)
    except TypeError:
        known = sorted(field.name for field in fields(JobOptions) if field.init)
        unknown = sorted(set(options) - set(known))
        if not unknown:
            raise
        raise InvalidOption(
            f"unknown job option {', '.join(unknown)}; the options are {', '.join(known)}"
        ) from None
