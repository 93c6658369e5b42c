import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.support.processes import children, wait_until_gone
from vworker.errors import ErrorCode, TranscodeError
from vworker.media.process import LastLines, run_child

DEAF = "trap '' TERM; echo ready; while :; do sleep 1; done"


def discard(data: bytes) -> None:
    """Take output that nobody looks at."""


async def test_output_and_last_lines_are_told(tmp_path: Path) -> None:
    output = bytearray()
    script = "pwd; for n in $(seq 100); do echo line $n >&2; done; printf open >&2; exit 3"
    ended = await run_child(
        ["sh", "-c", script], cwd=tmp_path, on_output=output.extend, grace_s=1.0
    )
    assert output.decode().strip() == str(tmp_path)
    assert ended.code == 3
    assert ended.last_lines == (*(f"line {n}" for n in range(62, 101)), "open")


async def test_a_child_sees_no_secret_of_the_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    output = bytearray()
    await run_child(["env"], cwd=tmp_path, on_output=output.extend, grace_s=1.0)
    assert b"canary" not in output
    assert b"LC_ALL=C" in output


async def test_a_signal_that_ended_the_child_is_told(tmp_path: Path) -> None:
    ended = await run_child(
        ["sh", "-c", "kill -SEGV $$"], cwd=tmp_path, on_output=discard, grace_s=1.0
    )
    assert ended.code == -signal.SIGSEGV


async def test_a_missing_program_is_named(tmp_path: Path) -> None:
    with pytest.raises(TranscodeError, match="no program ffmpeg-of-nowhere") as refusal:
        await run_child(["ffmpeg-of-nowhere"], cwd=tmp_path, on_output=discard, grace_s=1.0)
    assert refusal.value.code is ErrorCode.ENCODER_UNAVAILABLE


@pytest.mark.parametrize("script", ["echo ready; exec sleep 1000", DEAF])
async def test_a_cancelled_child_is_gone_when_the_call_returns(tmp_path: Path, script: str) -> None:
    before = children()
    ready = asyncio.Event()
    call = asyncio.create_task(
        run_child(["sh", "-c", script], cwd=tmp_path, on_output=lambda _: ready.set(), grace_s=0.2)
    )
    await ready.wait()
    (pid,) = children() - before
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_second_cancellation_kills_at_once(tmp_path: Path) -> None:
    before = children()
    ready = asyncio.Event()
    call = asyncio.create_task(
        run_child(["sh", "-c", DEAF], cwd=tmp_path, on_output=lambda _: ready.set(), grace_s=3600.0)
    )
    await ready.wait()
    call.cancel()
    await asyncio.sleep(0)
    assert not call.done()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert children() == before


async def test_a_failing_sink_ends_the_child_and_is_raised_itself(tmp_path: Path) -> None:
    before = children()

    def refuse(data: bytes) -> None:
        raise ValueError("too much")

    with pytest.raises(ValueError, match="too much"):
        await run_child(
            ["sh", "-c", "while :; do echo flood; done"],
            cwd=tmp_path,
            on_output=refuse,
            grace_s=0.2,
        )
    assert children() == before


def test_a_child_dies_with_a_killed_worker(tmp_path: Path) -> None:
    worker = subprocess.Popen(
        [
            sys.executable,
            "-c",
            textwrap.dedent(
                """
                import asyncio, pathlib, sys
                from vworker.media.process import run_child

                def tell(data):
                    sys.stdout.buffer.write(data)
                    sys.stdout.flush()

                asyncio.run(run_child(
                    ["sh", "-c", "echo $$; exec sleep 1000"],
                    cwd=pathlib.Path.cwd(), on_output=tell, grace_s=1.0,
                ))
                """
            ),
        ],
        stdout=subprocess.PIPE,
        cwd=tmp_path,
    )
    with worker:
        assert worker.stdout is not None
        pid = int(worker.stdout.readline())
        descriptor = os.pidfd_open(pid)
        try:
            worker.kill()
            assert wait_until_gone(descriptor)
        finally:
            os.close(descriptor)


def test_last_lines_are_bounded_and_readable() -> None:
    last = LastLines()
    for _ in range(100):
        last.feed(b"x" * 65536)
    last.feed(b"\rframe 1\rframe 2\n\xff\xfe\n\n")
    assert last.lines() == ("x" * 500, "frame 1", "frame 2", "\N{REPLACEMENT CHARACTER}" * 2)
