"""The folder that a stack keeps its data in."""

import fcntl
import shutil
import tempfile
from pathlib import Path
from typing import BinaryIO

_TEMPORARY_PREFIX = "vqueue-devstack-"
_LOCK_NAME = ".lock"


class FolderInUse(Exception):
    """Another stack runs in the folder; two must not write the same data."""


class DataFolder:
    """A folder held by one process at a time, through a lock that dies with the process."""

    def __init__(self, path: Path | None) -> None:
        """Hold `path`, made when it is not there; or a new temporary folder when it is None.

        Temporary folders that a killed process has left are removed first.
        Raises FolderInUse when another process holds `path`.
        """
        self._is_temporary = path is None
        if path is None:
            _remove_abandoned_folders()
            path = Path(tempfile.mkdtemp(prefix=_TEMPORARY_PREFIX))
        path.mkdir(parents=True, exist_ok=True)
        self.path = path.resolve()
        self._lock = _lock(self.path)

    def close(self) -> None:
        """Let go of the folder, and remove it when it is temporary. Safe to repeat."""
        if self._is_temporary:
            shutil.rmtree(self.path, ignore_errors=True)
        self._lock.close()


def _lock(folder: Path) -> BinaryIO:
    lock = (folder / _LOCK_NAME).open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise FolderInUse(
            f"another stack is running in {folder}: stop it first, or choose another folder"
        ) from None
    return lock


def _remove_abandoned_folders() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_TEMPORARY_PREFIX}*"):
        # Without its lock file a folder is another process's, made a moment ago.
        if not (folder / _LOCK_NAME).exists():
            continue
        try:
            lock = _lock(folder)
        except (FolderInUse, OSError):
            continue
        shutil.rmtree(folder, ignore_errors=True)
        lock.close()
