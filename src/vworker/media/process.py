"""One child process, from start to reaped: FFmpeg and ffprobe are run through here only.

A child gets a session of its own (so that a Ctrl-C at the terminal is ours to handle), no standard
input, an environment without our credentials, and dies with the worker where util-linux's setpriv
is at hand. It is ended by SIGTERM, a grace and SIGKILL, and is always waited for.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shlex
import shutil
import signal
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from vworker.errors import ErrorCode, TranscodeError
from vworker.tasks import task_group

logger = logging.getLogger(__name__)

_READ_BYTES = 64 * 1024
_LAST_LINES = 40
_LINE_CHARS = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Exit:
    """How a child ended."""

    #: Its exit code; negative when a signal ended it.
    code: int
    #: Its last lines on standard error, oldest first.
    last_lines: tuple[str, ...]


class LastLines:
    """Keeps the end of a stream of any length: 40 lines of at most 500 characters."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._open = b""

    def feed(self, data: bytes) -> None:
        """Take the next bytes; a line may be cut anywhere, FFmpeg also ends them with CR."""
        *whole, self._open = (self._open + data).replace(b"\r", b"\n").split(b"\n")
        for line in whole:
            self._keep(line)
        self._open = self._open[:_LINE_CHARS]

    def lines(self) -> tuple[str, ...]:
        """Return what is kept, the unfinished line included."""
        self._keep(self._open)
        self._open = b""
        return tuple(self._lines)

    def _keep(self, line: bytes) -> None:
        if text := line[:_LINE_CHARS].decode(errors="replace").strip():
            self._lines.append(text)


async def run_child(
    argv: Sequence[str], *, cwd: Path, on_output: Callable[[bytes], None], grace_s: float
) -> Exit:
    """Run a program in the folder `cwd` to its end; `on_output` gets its output as it comes.

    When the call is cancelled or `on_output` raises, the child is ended before this returns.
    Raises `TranscodeError` (encoder_unavailable) when the program is not there.
    """
    command = _command(argv)
    logger.debug("starting %s", shlex.join(command), extra={"action": "start_child"})
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=cwd,
        start_new_session=True,
        # A decoder is where hostile bytes could run code: it must find no secret to take.
        env={"LC_ALL": "C"},
    )
    last_lines = LastLines()
    async with task_group() as group:
        group.create_task(_pump(process.stdout, on_output))
        group.create_task(_pump(process.stderr, last_lines.feed))
        try:
            code = await process.wait()
        finally:
            await _end(process, grace_s)
    return Exit(code=code, last_lines=last_lines.lines())


def _command(argv: Sequence[str]) -> list[str]:
    """Make the program's path absolute, and let the child die with the worker's process."""
    program = shutil.which(argv[0])
    if program is None:
        raise TranscodeError(
            ErrorCode.ENCODER_UNAVAILABLE,
            f"The worker cannot transcode: there is no program {argv[0]}; set FFMPEG and FFPROBE.",
        )
    setpriv = shutil.which("setpriv")
    mortal = [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []
    return [*mortal, str(Path(program).absolute()), *argv[1:]]


async def _pump(stream: asyncio.StreamReader | None, sink: Callable[[bytes], None]) -> None:
    while stream is not None and (data := await stream.read(_READ_BYTES)):
        sink(data)


async def _end(process: asyncio.subprocess.Process, grace_s: float) -> None:
    """Make sure that the child's process group is gone; return when the child is reaped."""
    if process.returncode is not None:
        return
    _signal_group(process, signal.SIGTERM)
    try:
        async with asyncio.timeout(grace_s):
            await process.wait()
    except TimeoutError:
        logger.warning(
            "child %d did not end within %s s of SIGTERM, killing it",
            process.pid,
            grace_s,
            extra={"action": "kill_child"},
        )
    finally:
        # Also when a second cancellation cuts the grace short.
        if process.returncode is None:
            _signal_group(process, signal.SIGKILL)
            await asyncio.shield(process.wait())


def _signal_group(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
