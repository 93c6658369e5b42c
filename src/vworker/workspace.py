"""Scratch folders: one per attempt, inside one per worker process, under WORKER_TEMP_DIR.

Layout: `vworker-<pid>-<random>/` holds the attempts of one worker; beside it lies
`vworker-<pid>-<random>.lock`, which that worker keeps locked (flock) as long as it lives. The
kernel drops the lock with the process, also after SIGKILL, so that a lock that can be had means a
dead worker, whatever has become of its pid. Several workers may share one WORKER_TEMP_DIR.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

logger = logging.getLogger(__name__)

_PREFIX = "vworker-"
_LOCK_SUFFIX = ".lock"


class Workspace:
    """The scratch space of this worker process; a context manager that leaves nothing behind.

    Entering it removes what dead workers have left under the same root. Raises OSError when the
    root cannot be created or written.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock: _Lock | None = None
        self._folder: Path | None = None

    def __enter__(self) -> Self:
        self._root.mkdir(parents=True, exist_ok=True)
        sweep(self._root)
        name = f"{_PREFIX}{os.getpid()}-{secrets.token_hex(4)}"
        # The lock comes before the folder and goes after it: there is never a folder without one.
        self._lock = _Lock.acquire(self._root / f"{name}{_LOCK_SUFFIX}")
        self._folder = self._root / name
        self._folder.mkdir(mode=0o700)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._lock is not None and self._folder is not None:
            _remove(self._folder)
            self._lock.release(keep_file=self._folder.exists())

    @asynccontextmanager
    async def attempt(self) -> AsyncIterator[Path]:
        """Give one attempt a private empty folder, and remove it with all content in the end."""
        if self._folder is None:
            raise RuntimeError("a Workspace must be entered before an attempt uses it")
        folder = Path(tempfile.mkdtemp(prefix="attempt-", dir=self._folder))
        try:
            yield folder
        finally:
            await asyncio.to_thread(_remove, folder)

    def free_bytes(self) -> int:
        """Return the bytes that are free on the scratch disk."""
        return shutil.disk_usage(self._root).free


def sweep(root: Path) -> list[Path]:
    """Remove the scratch folders of dead workers; return them. Safe to repeat and to run at once.

    A folder whose worker lives, in this container or another one on the same host, is not touched.
    """
    removed = []
    for path in sorted(root.glob(f"{_PREFIX}*{_LOCK_SUFFIX}")):
        lock = _Lock.take_over(path)
        if lock is None:
            continue
        folder = path.with_name(path.name.removesuffix(_LOCK_SUFFIX))
        if folder.exists():
            _remove(folder)
            removed.append(folder)
            logger.info(
                "removed %s, left behind by a worker that died", folder, extra={"action": "sweep"}
            )
        lock.release(keep_file=folder.exists())
    return removed


class _Lock:
    """A locked file; the descriptor is not inherited, so a child cannot keep it locked."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor

    @classmethod
    def acquire(cls, path: Path) -> _Lock:
        """Create and lock a new file."""
        while True:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            # Between the two calls a sweep of another worker can have locked and removed it.
            if _is_still_at(path, descriptor):
                return cls(path, descriptor)
            os.close(descriptor)

    @classmethod
    def take_over(cls, path: Path) -> _Lock | None:
        """Lock an existing file, or return None when its owner lives or it is gone."""
        try:
            descriptor = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        if _is_still_at(path, descriptor):
            return cls(path, descriptor)
        os.close(descriptor)
        return None

    def release(self, *, keep_file: bool) -> None:
        """Unlock; the file stays when its folder could not be removed, so that a sweep finds it."""
        if not keep_file:
            self._path.unlink(missing_ok=True)
        os.close(self._descriptor)


def _is_still_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _remove(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
    except OSError as error:
        # The outcome of the job stands; the sweep of the next start tries again.
        logger.warning(
            "cannot remove scratch folder %s: %s", folder, error, extra={"action": "remove_scratch"}
        )
