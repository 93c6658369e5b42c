"""One child process, from start to reaped: FFmpeg and ffprobe are run through here only.

A child runs confined (`vworker.sandbox`), in a session of its own (so that a Ctrl-C at the terminal
is ours to handle), without standard input and with an environment that holds nothing of ours. It
has a bound on its time, dies with the worker, is ended by SIGTERM, a grace and SIGKILL, and is
always waited for.
"""

from __future__ import annotations

import asyncio
import logging
import math
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
from vworker.media.settings import MediaSettings
from vworker.sandbox import Access, Launch, Sandbox
from vworker.tasks import task_group

logger = logging.getLogger(__name__)

_READ_BYTES = 64 * 1024
_LAST_LINES = 40
_LINE_CHARS = 500
#: Seconds that a watcher gets to reap a killed program and to end itself.
_REAP_S = 5.0
#: A watcher tells of a signal as 128 + its number. FFmpeg's own exit codes are not in this range.
_FIRST_REALTIME_SIGNAL = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class Exit:
    """How a child ended."""

    #: Its exit code; negative when a signal ended it.
    code: int
    #: Its last lines on standard error, oldest first.
    last_lines: tuple[str, ...]


class LastLines:
    """Keeps the end of a stream of any length: 40 lines of at most 500 characters.

    `on_line` is told every line.
    """

    def __init__(self, on_line: Callable[[str], None] = lambda line: None) -> None:
        self._on_line = on_line
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
            self._on_line(text)


async def run_child(
    argv: Sequence[str],
    *,
    access: Access,
    timeout_s: float,
    on_output: Callable[[bytes], None],
    settings: MediaSettings,
    last_lines: LastLines | None = None,
) -> Exit:
    """Run a program in `access.folder` to its end; `on_output` gets its output as it comes.

    `last_lines` gets what it writes to standard error, for who wants to know it of a program that
    was stopped.

    Within `timeout_s` seconds it may use every processor. When the call is cancelled or
    `on_output` raises, the child is ended before this returns.

    Raises TimeoutError after `timeout_s` seconds, and `TranscodeError` (encoder_unavailable) when
    the program is not there or no sandbox was opened.
    """
    program, sandbox = _program(argv[0]), _sandbox(settings)
    # Beyond what it can use up by then: the kernel ends it while the worker itself is stopped.
    cpu_s = math.ceil(timeout_s * (os.cpu_count() or 1)) + 1
    last_lines = last_lines or LastLines()
    async with asyncio.timeout(timeout_s):
        with sandbox.launch([program, *argv[1:]], access, cpu_s=cpu_s) as launch:
            child = await _start(launch, access.folder, has_watcher=sandbox.has_watcher)
        async with task_group() as group:

            def stop() -> None:
                group.create_task(child.end(settings.stop_grace_s))

            group.create_task(_pump(child.process.stdout, on_output, stop))
            group.create_task(_pump(child.process.stderr, last_lines.feed, stop))
            try:
                await child.process.wait()
            finally:
                await child.end(settings.stop_grace_s)
    return Exit(code=child.exit_code(), last_lines=last_lines.lines())


def _program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise TranscodeError(
            ErrorCode.ENCODER_UNAVAILABLE,
            f"The worker cannot transcode: there is no program {name}; set FFMPEG and FFPROBE.",
        )
    return str(Path(path).absolute())


def _sandbox(settings: MediaSettings) -> Sandbox:
    if settings.sandbox is None:
        raise TranscodeError(
            ErrorCode.ENCODER_UNAVAILABLE,
            "The worker cannot transcode: MediaSettings.sandbox is not set; open one with "
            "vworker.sandbox.open_sandbox.",
        )
    return settings.sandbox


async def _start(launch: Launch, folder: Path, *, has_watcher: bool) -> _Child:
    logger.debug("starting %s", shlex.join(launch.argv), extra={"action": "start_child"})
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            *launch.argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=folder,
            start_new_session=True,
            pass_fds=launch.descriptors,
            # A decoder is where hostile bytes could run code: it must find no secret to take.
            env={"LC_ALL": "C"},
        )
    )
    try:
        # asyncio would kill a watcher alone, and wait for pipes that its child still holds.
        return _Child(await asyncio.shield(starting), has_watcher=has_watcher)
    except asyncio.CancelledError:
        process = await starting
        async with task_group() as group:
            group.create_task(process.communicate())
            await _Child(process, has_watcher=has_watcher).end(0)
        raise


async def _pump(
    stream: asyncio.StreamReader | None,
    sink: Callable[[bytes], None],
    stop: Callable[[], None],
) -> None:
    """Hand on what comes, to the end. A sink that raises stops the child, and is raised then.

    Until then the stream is read on: asyncio tells of the end of a process when its pipes are
    empty, and a full one would keep that back.
    """
    failure: Exception | None = None
    while stream is not None and (data := await stream.read(_READ_BYTES)):
        if failure is None:
            try:
                sink(data)
            except Exception as error:
                failure = error
                stop()
    if failure is not None:
        raise failure


class _Child:
    """A started child: the program itself, or a watcher (bwrap) whose one child the program is.

    A watched program is signalled itself, so that the watcher reaps it before it ends: when the
    watcher is gone, so is the program.
    """

    def __init__(self, process: asyncio.subprocess.Process, *, has_watcher: bool) -> None:
        self.process = process
        self._has_watcher = has_watcher

    def exit_code(self) -> int:
        """Return how the program ended, negative for a signal; it must have ended."""
        code = self.process.returncode
        assert code is not None  # noqa: S101 - it was waited for
        if self._has_watcher and 128 < code < 128 + _FIRST_REALTIME_SIGNAL:
            return 128 - code
        return code

    async def end(self, grace_s: float) -> None:
        """Make sure that it is gone, with everything that it started; return when it is reaped."""
        if self.process.returncode is not None:
            return
        self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(grace_s):
                await self.process.wait()
        except TimeoutError:
            logger.warning(
                "child %d did not end within %s s of SIGTERM, killing it",
                self.process.pid,
                grace_s,
                extra={"action": "kill_child"},
            )
        finally:
            # Also when a second cancellation cuts the grace short.
            if self.process.returncode is None:
                await asyncio.shield(self._kill())

    async def _kill(self) -> None:
        self._signal(signal.SIGKILL)
        try:
            async with asyncio.timeout(_REAP_S):
                await self.process.wait()
        except TimeoutError:
            # A watcher that was stopped, or that had not started its program yet.
            self._signal_group(signal.SIGKILL)
            await self.process.wait()

    def _signal(self, number: signal.Signals) -> None:
        if not self._has_watcher:
            self._signal_group(number)
            return
        program = self._watched_program()
        if program is None:
            # A program that is just being started must not outlive its watcher.
            self._signal_group(signal.SIGKILL)
        else:
            with suppress(ProcessLookupError):
                os.kill(program, number)

    def _watched_program(self) -> int | None:
        """Return its pid; None before it was started and after it has ended."""
        pid = self.process.pid
        try:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
        except OSError:
            return None
        return int(children.split()[0]) if children.strip() else None

    def _signal_group(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)
