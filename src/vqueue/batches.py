"""Batches: one call of a handler for many jobs, each of which ends for itself.

The jobs are taken, leased and settled one by one as ever; only what runs in their slots is
shared. So a worker needs at least as many slots as a batch has jobs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from vqueue.attempt import Handler
from vqueue.errors import InvalidOption, VQueueError
from vqueue.job import Job
from vqueue.quantities import Seconds, check_count, to_ms

#: Gets the jobs of a batch; returns a result for each, in their order, or None for no results.
#: An exception among the results fails that job, a raised one all of them.
BatchHandler = Callable[[Sequence[Job]], Awaitable[Sequence[Any] | None]]


def in_batches(
    handler: BatchHandler, *, size: int, min_size: int = 1, wait: Seconds = 0
) -> Handler:
    """Return a handler for `Worker(concurrency=…)` that runs `handler` for many jobs at once.

    A batch starts with `size` jobs, with at least `min_size` when no more are ready, and after
    `wait` seconds in any case. A job that is cancelled leaves its batch, whose handler goes on
    for the others; when all have left it is cancelled.

    Raises InvalidOption for sizes below 1, or a `min_size` above `size`.
    """
    check_count(size, what="size of a batch", low=1)
    check_count(min_size, what="min_size of a batch", low=1, high=size)
    wait_ms = to_ms(wait, what="wait of a batch")
    if min_size > 1 and not wait_ms:
        raise InvalidOption(f"min_size {min_size} of a batch needs a wait: how long for them?")
    return _Batches(handler, size=size, min_size=min_size, wait=wait_ms / 1000).add


class _Batch:
    """Jobs that share one call."""

    def __init__(self) -> None:
        #: Those that have not left, each with the future of its end.
        self.members: dict[Job, asyncio.Future[Any]] = {}
        self.timer: asyncio.TimerHandle | None = None
        self.task: asyncio.Task[None] | None = None


class _Batches:
    def __init__(self, handler: BatchHandler, *, size: int, min_size: int, wait: float) -> None:
        self._handler = handler
        self._size = size
        self._min_size = min_size
        self._wait = wait
        #: The batch that jobs join.
        self._open: _Batch | None = None

    async def add(self, job: Job) -> Any:
        """Join a batch; return what has become of this job."""
        loop = asyncio.get_running_loop()
        batch = self._open
        if batch is None:
            batch = self._open = _Batch()
            if self._min_size > 1:
                batch.timer = loop.call_later(self._wait, self._start, batch)
        end = batch.members[job] = loop.create_future()
        joined = len(batch.members)
        if joined == self._size:
            self._start(batch)
        elif joined == self._min_size:
            loop.call_soon(self._start_unless_joined, batch, joined)
        try:
            return await end
        except asyncio.CancelledError:
            await self._leave(batch, job)
            raise

    def _start_unless_joined(self, batch: _Batch, seen: int) -> None:
        """Start a batch that nobody has joined in a turn of the loop: no more are ready."""
        if batch.task is None and self._open is batch:
            if len(batch.members) <= seen:
                self._start(batch)
            else:
                loop = asyncio.get_running_loop()
                loop.call_soon(self._start_unless_joined, batch, len(batch.members))

    def _start(self, batch: _Batch) -> None:
        if self._open is batch:
            self._open = None
        if batch.timer is not None:
            batch.timer.cancel()
        if batch.task is None and batch.members:
            # its owners are the members: the last one to leave waits for it
            batch.task = asyncio.create_task(self._run(batch), name="vqueue-batch")

    async def _leave(self, batch: _Batch, job: Job) -> None:
        del batch.members[job]
        if batch.task is not None and not batch.members:
            batch.task.cancel()
            await asyncio.wait([batch.task])

    async def _run(self, batch: _Batch) -> None:
        jobs = list(batch.members)
        try:
            results = await self._handler(jobs)
            if results is not None and len(results) != len(jobs):
                raise VQueueError(
                    f"a batch handler returned {len(results)} results for {len(jobs)} jobs: "
                    "return one for each, in their order, or None"
                )
        except Exception as error:
            results = [error] * len(jobs)
        except BaseException:
            for end in batch.members.values():
                end.cancel()
            raise
        for position, job in enumerate(jobs):
            if job not in batch.members or batch.members[job].done():
                continue  # it has left
            result = results[position] if results is not None else None
            if isinstance(result, Exception):
                batch.members[job].set_exception(result)
            else:
                batch.members[job].set_result(result)
