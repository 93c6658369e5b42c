"""The scratch disk, looked at by a timer of our own while children write to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from vworker.errors import ErrorCode, TranscodeError
from vworker.tasks import task_group
from vworker.workspace import Workspace

#: Seconds between two looks: what a disk takes meanwhile must fit below the floor.
_LOOK_S = 0.5


@asynccontextmanager
async def watched_disk(workspace: Workspace, floor_bytes: int) -> AsyncIterator[None]:
    """End the block when less than `floor_bytes` are free, whoever writes and whatever it says.

    Raises `TranscodeError` (disk_full) then; the block is cancelled before.
    """
    async with task_group() as group:
        watching = group.create_task(_watch(workspace, floor_bytes))
        yield
        watching.cancel()


async def _watch(workspace: Workspace, floor_bytes: int) -> None:
    while True:
        free = workspace.free_bytes()
        if free < floor_bytes:
            raise TranscodeError(
                ErrorCode.DISK_FULL,
                f"The worker's disk ran full during the encode, {free} bytes are free.",
            )
        await asyncio.sleep(_LOOK_S)
