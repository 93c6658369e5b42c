"""Starting a worker anew when its source changes, for development."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NoReturn

from vqueue.errors import InvalidOption


@asynccontextmanager
async def sources_watched(folders: Sequence[Path]) -> AsyncIterator[asyncio.Task[None]]:
    """Watch the Python files below some folders; the task ends when one has changed.

    It sees what changes from the entry on: load the source after it. Raises InvalidOption when
    a folder is not there, or watchfiles is not installed.
    """
    try:
        import watchfiles
    except ImportError as error:
        raise InvalidOption(
            "--reload needs the package watchfiles, which is not installed: install vqueue[reload]"
        ) from error
    for folder in folders:
        if not folder.is_dir():
            raise InvalidOption(f"--reload-dir {folder} is not a folder: nothing to watch there")

    async def first_change() -> None:
        async for _ in watchfiles.awatch(*folders, watch_filter=watchfiles.PythonFilter()):
            return

    watching = asyncio.create_task(first_change(), name="vqueue-reload")
    await asyncio.sleep(0)  # its first step sets the watch up
    try:
        yield watching
    finally:
        watching.cancel()
        await asyncio.wait([watching])


def start_anew() -> NoReturn:
    """Replace this program by a new one with the same arguments, under the same process id."""
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - no shell is wanted
