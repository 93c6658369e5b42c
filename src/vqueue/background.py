"""`async with` round something that works until it is closed: it runs in a task meanwhile."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

logger = logging.getLogger(__name__)


class RunsInBackground(ABC):
    """Started by `async with`, closed at its end: with time for what is under way, or at once when
    the block ends by an exception. An error that ended it earlier is logged when it happens and
    raised at the end of the block."""

    name: str
    _background: asyncio.Task[None] | None = None

    @abstractmethod
    async def run(self) -> None:
        """Work until `close` is called."""

    @abstractmethod
    async def close(self, timeout: float | None = None) -> None:
        """End `run`, after so many seconds at most (None: without limit)."""

    async def __aenter__(self) -> Self:
        """Start `run` in the background; `async with` ends it by `close`."""
        self._background = asyncio.create_task(self.run(), name=f"vqueue-worker-{self.name}")
        self._background.add_done_callback(_tell_failure)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close(timeout=None if exc is None else 0)
        if self._background is not None:
            await self._background


def _tell_failure(background: asyncio.Task[None]) -> None:
    """Say at once that a worker in the background has died; `async with` raises it at its end."""
    if not background.cancelled() and (error := background.exception()):
        logger.error("the worker in the background has ended: %s", error, exc_info=error)
