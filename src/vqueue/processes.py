"""Handlers in child processes: functions that use the processor, or that may crash.

A child runs job after job. It is killed when its job is cancelled or times out, loses its
lease, or the worker closes; one that dies fails the attempt of its job and no other.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from types import TracebackType
from typing import Any, NoReturn, Self

from vqueue.codec import decode, encode
from vqueue.errors import (
    DelayedError,
    RateLimitError,
    UnrecoverableError,
    VQueueError,
    WaitingError,
)
from vqueue.job import Job
from vqueue.quantities import Seconds, check_count, to_ms

#: Longest line that a child may tell, in bytes.
_LINE_LIMIT = 1 << 26
_PROGRAM = "import sys; from vqueue.child import main; main(*sys.argv[1:])"


class HandlerFailed(VQueueError):
    """A function in a child process raised; the text is that of its exception."""


class HandlerDied(VQueueError):
    """A child process ended in the middle of its job: it crashed, or was killed."""

    def __init__(self, job_id: str, *, target: str, exit_status: int | None) -> None:
        self.job_id = job_id
        #: As subprocess tells it: -9 for SIGKILL, say.
        self.exit_status = exit_status
        super().__init__(
            f"the process that ran {target} for job {job_id} ended with status {exit_status}"
        )


class _Child:
    """One child process and the socket to it."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.process = process
        self.reader = reader
        self.writer = writer

    @classmethod
    async def start(cls, target: str) -> _Child:
        """Start a child that serves `target`."""
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", _PROGRAM, str(theirs.fileno()), target),
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C is for the worker, which decides
            )
        reader, writer = await asyncio.open_connection(sock=ours, limit=_LINE_LIMIT)
        return cls(process, reader, writer)

    async def next_answer(self) -> tuple[str, Any] | None:
        """Return what it tells next; None when it has ended."""
        try:
            line = await self.reader.readline()
        except ConnectionResetError:
            return None
        return tuple(decode(line)) if line.endswith(b"\n") else None

    async def wait_or_end(self, grace: float) -> int:
        """Wait for the end of one that has closed its socket; return its exit status."""
        try:
            async with asyncio.timeout(grace):
                return await self.process.wait()
        except TimeoutError:
            return await self.end(grace)
        finally:
            self.writer.close()

    async def end(self, grace: float) -> int:
        """Have it end, by force after `grace` seconds; return its exit status."""
        self.writer.close()
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        try:
            async with asyncio.timeout(grace):
                return await self.process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            return await self.process.wait()


class ProcessHandler:
    """A handler for Worker that runs a function in child processes; see `in_processes`."""

    def __init__(self, target: str, *, processes: int, grace: Seconds) -> None:
        check_count(processes, what="processes", low=1)
        self._target = target
        self._grace = to_ms(grace, what="grace") / 1000
        self._free = asyncio.Semaphore(processes)
        self._idle: list[_Child] = []

    async def __call__(self, job: Job) -> Any:
        """Run the function for a job."""
        async with self._free:
            child = self._idle.pop() if self._idle else await _Child.start(self._target)
            try:
                answer = await self._converse(child, job)
            except BaseException:
                # it may be anywhere in its work: never used again
                await asyncio.shield(asyncio.ensure_future(child.end(self._grace)))
                raise
            if answer is None:
                status = await child.wait_or_end(self._grace)
                raise HandlerDied(job.id, target=self._target, exit_status=status)
            self._idle.append(child)
        kind, value = answer
        if kind == "error":
            _raise_again(value)
        return value

    async def _converse(self, child: _Child, job: Job) -> tuple[str, Any] | None:
        """Give the child a job; return its last word, None when it has ended without one."""
        told = {
            "id": job.id,
            "name": job.name,
            "data": job.data,
            "fence": job.fence,
            "consumer": job.consumer,
            "attempts_made": job.attempts_made,
            "attempts_started": job.attempts_started,
            "trace_context": job.trace_context,
        }
        child.writer.write(encode(told, "job %s", job.id) + b"\n")
        while answer := await child.next_answer():
            kind, value = answer
            if kind == "progress":
                await job.update_progress(value)
            elif kind == "log":
                await job.log(value)
            elif kind == "partial":
                await job.send_partial(value)
            elif kind != "ready":
                return answer
        return None

    async def close(self) -> None:
        """End the idle children. Close the worker first. Safe to repeat."""
        while self._idle:
            await self._idle.pop().end(self._grace)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()


def in_processes(target: str, *, processes: int, grace: Seconds = 5) -> ProcessHandler:
    """Return a handler that runs ``module:function`` in at most so many child processes.

    The function gets a ProcessJob. Give the worker the same `concurrency`, and close the
    handler after it, best by ``async with``. A child that is to end gets SIGTERM, and SIGKILL
    `grace` seconds later. A function that cannot be imported ends its child with status 1.
    """
    return ProcessHandler(target, processes=processes, grace=grace)


def _raise_again(told: dict[str, Any]) -> NoReturn:
    text, seconds = told["text"], told["seconds"]
    error: VQueueError
    if told["is_unrecoverable"]:
        error = UnrecoverableError(text)
    elif told["type"] == "DelayedError" and seconds is not None:
        error = DelayedError(seconds)
    elif told["type"] == "RateLimitError":
        error = RateLimitError(seconds)
    elif told["type"] == "WaitingError":
        error = WaitingError(text)
    else:
        error = HandlerFailed(text or told["type"])
    error.add_note(told["stack"])
    raise error
