"""Partial results: what a running handler sends, for those who do not wait for its end.

Model. `Job.send_partial` appends to a stream of the job, under an id made of the activation's
fence and a number that counts from 1: a repeat is known by it, a later attempt comes behind an
earlier one, and a reader sees what it has missed. The stream has no end of its own: a reader
waits for the next entry and for the end of the job at once, and then reads what is left.

The stream outlives its job, and the id may be added again meanwhile. Fences grow, so what is
older than the job's own adding is of another job: a reader begins behind it, and the first
result of the new job takes it away, or its removal.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

from redis.exceptions import RedisError

from vqueue.connection import BLOCK_MARGIN, is_transient, open_client
from vqueue.errors import QueueUnavailable
from vqueue.job_events import version_of
from vqueue.keys import check_name
from vqueue.record import Record
from vqueue.results import Results
from vqueue.scripts import Scripts
from vqueue.serializing import decode_payload
from vqueue.sources import RedisSource

logger = logging.getLogger(__name__)

#: Seconds of one blocking read.
_BLOCK = 10.0
#: Results of one read.
_PAGE = 100
#: The place, fence and number, before all results.
_NOWHERE = (0, 0)

ReplyT = TypeVar("ReplyT")


async def _call_off(waiting: asyncio.Future[Any]) -> None:
    """End what nobody waits for any more, however it has ended."""
    waiting.cancel()
    await asyncio.wait([waiting])
    if not waiting.cancelled():
        waiting.exception()


@dataclass(frozen=True, kw_only=True, slots=True)
class PartialResult:
    """One value that a handler has sent."""

    value: Any
    #: Counts the results of one activation from 1.
    number: int
    #: The activation that has sent it, `Job.fence`. Where it changes, the handler was started
    #: again: what came before is the work of an attempt that has not completed the job.
    fence: int
    #: Results of the same activation that came before it and were not read: dropped, since
    #: only the newest are kept.
    missed: int


class PartialResults:
    """Async iterator over the partial results of one job, to its end.

    Made by `Queue.partial_results`. It begins with the oldest that is kept, whenever it is
    entered, and ends when the job has completed and all were read. At the end it raises what
    `Queue.result` raises: JobFailed when the job has failed for good, JobNotFound when it was
    removed by hand, or so long ago that how it ended is not known any more: then the results
    come first that are still kept. While Redis is away it waits. One task iterates; when it
    leaves the loop and enters it again, it goes on after the last result that it got. Has a
    connection of its own: use it as an async context manager, or call `close`.
    """

    def __init__(
        self, job_id: str, redis: RedisSource, *, key: str, scripts: Scripts, ends: Results
    ) -> None:
        self.job_id = job_id
        self._key = key
        self._scripts = scripts
        self._ends = ends
        self._client = open_client(
            redis, key=key, reply_timeout=_BLOCK + BLOCK_MARGIN, blocking=True
        )
        #: Fence and number of the last one that was handed out.
        self._last = _NOWHERE

    async def __aiter__(self) -> AsyncIterator[PartialResult]:
        if self._last == _NOWHERE:
            self._last = await self._patiently(self._beginning)
        ended = asyncio.ensure_future(self._patiently(self._end))
        try:
            while not ended.done():
                for partial in await self._read_unless(ended):
                    yield self._handed_out(partial)
            while rest := await self._patiently(self._read):
                for partial in rest:
                    yield self._handed_out(partial)
            await ended
        finally:
            await _call_off(ended)

    def _handed_out(self, partial: PartialResult) -> PartialResult:
        self._last = (partial.fence, partial.number)
        return partial

    async def _beginning(self) -> tuple[int, int]:
        """Return the place before the job's first result: fence and number."""
        (snapshot,) = (await self._scripts.snapshot(ids=[self.job_id])).jobs
        if snapshot is None:
            return _NOWHERE
        return (version_of(Record.parse(snapshot.record).history.added_ms, 0), 0)

    async def _end(self) -> None:
        await self._ends.result(self.job_id)

    async def _read_unless(self, ended: asyncio.Future[Any]) -> list[PartialResult]:
        """Wait for the next results; none when the job has ended."""
        reading = asyncio.create_task(self._patiently(self._wait_and_read))
        try:
            await asyncio.wait([reading, ended], return_when=asyncio.FIRST_COMPLETED)
            return reading.result() if reading.done() else []
        finally:
            await _call_off(reading)

    async def _patiently(self, ask: Callable[[], Awaitable[ReplyT]]) -> ReplyT:
        """Ask Redis; while it is away, again."""
        pause = 0.05
        while True:
            try:
                return await ask()
            except (QueueUnavailable, RedisError, OSError) as error:
                if not isinstance(error, QueueUnavailable) and not is_transient(error):
                    raise
                logger.warning("partial results of job %s wait for Redis: %s", self.job_id, error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 1.0)

    async def _wait_and_read(self) -> list[PartialResult]:
        return await self._read(block=True)

    async def _read(self, *, block: bool = False) -> list[PartialResult]:
        blocking = ("BLOCK", int(_BLOCK * 1000)) if block else ()
        after = "{}-{}".format(*self._last)
        reply = await self._client.execute(
            "XREAD", "COUNT", _PAGE, *blocking, "STREAMS", self._key, after
        )
        partials: list[PartialResult] = []
        before = self._last
        for entry_id, (_, value) in reply[0][1] if reply else ():
            fence, number = map(int, entry_id.split(b"-"))
            expected = before[1] + 1 if before[0] == fence else 1
            before = (fence, number)
            partials.append(
                PartialResult(
                    value=decode_payload(value),
                    number=number,
                    fence=fence,
                    missed=number - expected,
                )
            )
        return partials

    async def close(self) -> None:
        """Close the connection. Safe to repeat."""
        await self._client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()


class Streaming(Results):
    """The part of Queue that reads partial results."""

    def partial_results(self, job_id: str) -> PartialResults:
        """Return what a job's handler sends with `Job.send_partial`, for `async for`.

        Any number of readers get all of them, before and after the end of the job, for an hour
        after the last one was sent.
        """
        check_name(job_id, what="job id")
        return PartialResults(
            job_id,
            self._redis,
            key=self.keys.partials(job_id),
            scripts=self._scripts,
            ends=self,
        )
