"""Handlers that block: plain functions, run in threads beside the worker's event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

from vqueue.attempt import Handler
from vqueue.job import Job
from vqueue.quantities import check_count


class BlockingJob:
    """A job as a function in a thread gets it; its methods wait until they are done."""

    def __init__(self, job: Job, loop: asyncio.AbstractEventLoop) -> None:
        #: Its attributes may be read; its coroutines belong to the event loop.
        self.job = job
        self._loop = loop
        self._cancelled = threading.Event()

    @property
    def id(self) -> str:
        """The job's id."""
        return self.job.id

    @property
    def name(self) -> str:
        """The job's name."""
        return self.job.name

    @property
    def data(self) -> Any:
        """The job's data."""
        return self.job.data

    @property
    def fence(self) -> int | None:
        """See Job.fence."""
        return self.job.fence

    @property
    def is_cancelled(self) -> bool:
        """Whether the function is to end: cancelled, timed out, lease lost, worker closing."""
        return self._cancelled.is_set()

    def wait_cancelled(self, seconds: float) -> bool:
        """Sleep for so long, less when the function is to end; tell whether it is."""
        return self._cancelled.wait(seconds)

    def update_progress(self, value: Any) -> None:
        """See Job.update_progress."""
        asyncio.run_coroutine_threadsafe(self.job.update_progress(value), self._loop).result()

    def log(self, line: str) -> None:
        """See Job.log."""
        asyncio.run_coroutine_threadsafe(self.job.log(line), self._loop).result()

    def send_partial(self, value: Any) -> None:
        """See Job.send_partial."""
        asyncio.run_coroutine_threadsafe(self.job.send_partial(value), self._loop).result()


def in_threads(function: Callable[[BlockingJob], Any], *, threads: int) -> Handler:
    """Return a handler that runs a plain function, at most `threads` jobs at a time.

    Give the worker the same `concurrency`. A thread cannot be stopped: when the job is
    cancelled or timed out, its lease is lost or the worker closes, `is_cancelled` says so,
    and the job ends when the function does. Raises InvalidOption for less than one thread.
    """
    check_count(threads, what="threads", low=1)
    pool = ThreadPoolExecutor(threads, thread_name_prefix="vqueue-handler")

    async def handler(job: Job) -> Any:
        blocking = BlockingJob(job, asyncio.get_running_loop())
        running = pool.submit(copy_context().run, function, blocking)
        ended = asyncio.wrap_future(running)
        try:
            return await asyncio.shield(ended)
        except asyncio.CancelledError:
            blocking._cancelled.set()
            if not running.cancel():
                await asyncio.wait([ended])
                ended.exception()  # nobody else asks for it
            raise

    return handler
