"""A program of a benchmark: run bare, to its end, gone with all its children when cancelled."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path


class RunFailed(Exception):
    """A program failed, or made something else than its neighbours."""


async def run_program(
    argv: Sequence[str], folder: Path, *, environ: Mapping[str, str] | None = None
) -> None:
    """Run a program in `folder`; its complaints go to stderr. Raises RunFailed."""
    process = await asyncio.create_subprocess_exec(
        *argv,
        cwd=folder,
        env=environ,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        status = await process.wait()
    except asyncio.CancelledError:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        raise
    if status != 0:
        raise RunFailed(f"{' '.join(argv)} ended with {status}")
