import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.levels import CONTAINING
from tests.support.processes import children, wait_until_gone
from tests.support.service import process_tree
from vworker.errors import ErrorCode, TranscodeError
from vworker.media.process import Exit, LastLines, run_child
from vworker.media.settings import MediaSettings
from vworker.sandbox import Access, Level, Sandbox, open_sandbox

#: Forks nothing, which a confined child cannot do either.
DEAF = "trap '' TERM; echo ready; while :; do :; done"


@pytest.fixture(params=[*CONTAINING, Level.RLIMITS])
def sandbox(request: pytest.FixtureRequest, ffmpeg: str, ffprobe: str) -> Sandbox:
    return open_sandbox(request.param, ffmpeg=ffmpeg, ffprobe=ffprobe)


def discard(data: bytes) -> None:
    """Take output that nobody looks at."""


async def run(
    sandbox: Sandbox,
    folder: Path,
    *argv: str,
    on_output: Callable[[bytes], None] = discard,
    timeout_s: float = 60.0,
    grace_s: float = 1.0,
) -> Exit:
    return await run_child(
        argv,
        access=Access(folder=folder),
        timeout_s=timeout_s,
        on_output=on_output,
        settings=MediaSettings(sandbox=sandbox, stop_grace_s=grace_s),
    )


async def test_output_and_last_lines_are_told(sandbox: Sandbox, tmp_path: Path) -> None:
    output = bytearray()
    script = "pwd; n=0; while [ $((n += 1)) -le 100 ]; do echo line $n >&2; done; printf open >&2"
    ended = await run(sandbox, tmp_path, "sh", "-c", f"{script}; exit 3", on_output=output.extend)
    assert output.decode().strip() == str(tmp_path)
    assert ended.code == 3
    assert ended.last_lines == (*(f"line {n}" for n in range(62, 101)), "open")


async def test_a_child_sees_no_secret_of_the_worker(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    output = bytearray()
    await run(sandbox, tmp_path, "env", on_output=output.extend)
    assert b"canary" not in output
    assert b"LC_ALL=C" in output


async def test_a_signal_that_ended_the_child_is_told(sandbox: Sandbox, tmp_path: Path) -> None:
    before = children()

    def end(_: bytes) -> None:
        os.kill(innermost(before), signal.SIGKILL)

    ended = await run(sandbox, tmp_path, "sh", "-c", DEAF, on_output=end)
    assert ended.code == -signal.SIGKILL


async def test_a_missing_program_is_named(sandbox: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(TranscodeError, match="no program ffmpeg-of-nowhere") as refusal:
        await run(sandbox, tmp_path, "ffmpeg-of-nowhere")
    assert refusal.value.code is ErrorCode.ENCODER_UNAVAILABLE


@pytest.mark.parametrize("script", ["echo ready; exec sleep 1000", DEAF])
async def test_a_cancelled_child_is_gone_when_the_call_returns(
    sandbox: Sandbox, tmp_path: Path, script: str
) -> None:
    before = children()
    ready = asyncio.Event()
    call = asyncio.create_task(
        run(
            sandbox,
            tmp_path,
            *("sh", "-c", script),
            on_output=lambda _: ready.set(),
            grace_s=0.2,
        )
    )
    await ready.wait()
    pid = innermost(before)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_child_that_is_cancelled_at_its_start_is_gone_too(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    before = children()
    for turns in range(12):
        call = asyncio.create_task(run(sandbox, tmp_path, "sleep", "1000", grace_s=0.1))
        for _ in range(turns):
            await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert children() == before


async def test_a_second_cancellation_kills_at_once(sandbox: Sandbox, tmp_path: Path) -> None:
    before = children()
    ready = asyncio.Event()
    call = asyncio.create_task(
        run(
            sandbox,
            tmp_path,
            *("sh", "-c", DEAF),
            on_output=lambda _: ready.set(),
            grace_s=3600.0,
        )
    )
    await ready.wait()
    call.cancel()
    await asyncio.sleep(0)
    assert not call.done()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert children() == before


async def test_a_failing_sink_ends_the_child_and_is_raised_itself(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    before = children()

    def refuse(data: bytes) -> None:
        raise ValueError("too much")

    flood = "while :; do echo flood; done"
    with pytest.raises(ValueError, match="too much"):
        await run(sandbox, tmp_path, "sh", "-c", flood, on_output=refuse, grace_s=0.2)
    assert children() == before


async def test_a_child_is_ended_at_its_time_limit(sandbox: Sandbox, tmp_path: Path) -> None:
    before = children()
    with pytest.raises(TimeoutError):
        await run(sandbox, tmp_path, "sh", "-c", DEAF, timeout_s=0.2, grace_s=0.1)
    assert children() == before


async def test_no_descriptor_is_left_open(sandbox: Sandbox, tmp_path: Path) -> None:
    await run(sandbox, tmp_path, "true")
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names, not paths
    for _ in range(3):
        await run(sandbox, tmp_path, "true")
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_a_child_dies_with_a_killed_worker(
    sandbox: Sandbox, tmp_path: Path, ffmpeg: str, ffprobe: str
) -> None:
    worker = subprocess.Popen(
        [
            sys.executable,
            "-c",
            textwrap.dedent(
                """
                import asyncio, pathlib, sys
                from vworker.media.process import run_child
                from vworker.media.settings import MediaSettings
                from vworker.sandbox import Access, open_sandbox

                def tell(data):
                    sys.stdout.buffer.write(data)
                    sys.stdout.flush()

                level, ffmpeg, ffprobe = sys.argv[1:]
                asyncio.run(run_child(
                    ["sh", "-c", "echo ready; exec sleep 1000"],
                    access=Access(folder=pathlib.Path.cwd()), timeout_s=1000, on_output=tell,
                    settings=MediaSettings(
                        sandbox=open_sandbox(level, ffmpeg=ffmpeg, ffprobe=ffprobe)
                    ),
                ))
                """
            ),
            *(sandbox.level, ffmpeg, ffprobe),
        ],
        stdout=subprocess.PIPE,
        cwd=tmp_path,
    )
    with worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"ready\n"
        descriptors = [os.pidfd_open(pid) for pid in process_tree(worker.pid)[1:]]
        try:
            worker.kill()
            assert descriptors
            assert all(wait_until_gone(descriptor) for descriptor in descriptors)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)


def test_last_lines_are_bounded_and_readable() -> None:
    last = LastLines()
    for _ in range(100):
        last.feed(b"x" * 65536)
    last.feed(b"\rframe 1\rframe 2\n\xff\xfe\n\n")
    assert last.lines() == ("x" * 500, "frame 1", "frame 2", "\N{REPLACEMENT CHARACTER}" * 2)


def innermost(others: set[int]) -> int:
    """The pid of the program that runs beside `others`, below what watches over it."""
    (child,) = children() - others
    return process_tree(child)[-1]
