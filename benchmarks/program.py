"""A running program of a peer, as the harness holds it."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from benchmarks.peers.catalogue import ROOT, Contender
from benchmarks.peers.protocol import ProtocolError, Request, read_answer
from benchmarks.placement import pinned

#: Bytes of the longest answer: one byte per job in base64, and some thousand durations.
_LINE_LIMIT = 1 << 26
_EXIT_GRACE_S = 10.0


class ProgramGone(Exception):
    """A peer's program ended, or gave no answer in time."""


class Program:
    """One child process that answers requests, one at a time."""

    def __init__(self, process: asyncio.subprocess.Process, label: str, log: Path) -> None:
        self._process = process
        self._label = label
        self._log = log
        self._requests = 0

    @property
    def pid(self) -> int:
        """Its process id: `taskset` and `setpriv` have become the program."""
        return self._process.pid

    async def ask(
        self, operation: str, *, timeout_s: float = 60.0, **arguments: Any
    ) -> dict[str, Any]:
        """Have an operation of `Adapter` done; gives its figures.

        Raises PeerFailed when the peer says that it cannot, ProgramGone when it says nothing
        within `timeout_s` seconds or has ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests += 1
        request = Request(id=self._requests, operation=operation, arguments=arguments)
        try:
            async with asyncio.timeout(timeout_s):
                self._process.stdin.write(request.to_line().encode())
                await self._process.stdin.drain()
                line = await self._process.stdout.readline()
        except TimeoutError:
            raise ProgramGone(
                f"{self._label} did not answer {operation} within {timeout_s:g} s; see {self._log}"
            ) from None
        except ConnectionError as error:
            raise ProgramGone(f"{self._label} ended before {operation}: {error}") from None
        if not line:
            raise ProgramGone(f"{self._label} ended during {operation}; see {self._log}")
        try:
            return read_answer(line.decode(), request)
        except ProtocolError as error:
            raise ProtocolError(f"{self._label}: {error}; see {self._log}") from None

    async def end(self) -> None:
        """Close its stdin, wait, kill it when it stays. Safe to repeat."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            async with asyncio.timeout(_EXIT_GRACE_S):
                await self._process.wait()
        except TimeoutError:
            self.kill()
            await self._process.wait()

    def kill(self) -> None:
        """SIGKILL, when it still runs."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()


@contextlib.asynccontextmanager
async def running(
    contender: Contender, *, cores: tuple[int, ...], log: Path
) -> AsyncIterator[Program]:
    """Start a contender's program on `cores`, its stderr in `log`; end it in every case.

    A program that outlives this process is ended by the kernel.
    """
    command = pinned(contender.peer.command(contender.setting), cores)
    with log.open("ab") as errors:
        process = await asyncio.create_subprocess_exec(
            "setpriv",
            "--pdeathsig",
            "SIGKILL",
            "--",
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            cwd=ROOT,
            env=os.environ | contender.peer.environ(),
            limit=_LINE_LIMIT,
        )
    program = Program(process, contender.label, log)
    try:
        yield program
    except BaseException:
        program.kill()
        raise
    finally:
        await program.end()
