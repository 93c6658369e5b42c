"""A local file as the source and a local folder as the store: the pipeline without servers."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from vworker.errors import ObjectNotFound
from vworker.object_store import ObjectInfo


class LocalStore:
    """Stores under `folder`, and knows one source, under `SOURCE_KEY`.

    Files are linked, not copied, where both ends lie on one file system. It lists and deletes only
    what it has stored itself. Every method raises OSError from the disk.
    """

    SOURCE_KEY = "source"

    def __init__(self, source: Path, folder: Path) -> None:
        self._source = source
        self._folder = folder
        self._stored: set[str] = set()

    async def ready(self) -> None:
        """Return at once: there is nothing to wait for."""

    async def head(self, key: str) -> ObjectInfo:
        """Return the source's size. Raises `ObjectNotFound` for any other key."""
        if key != self.SOURCE_KEY or not self._source.is_file():
            raise ObjectNotFound(
                f"there is no file {self._source}", operation="looking up", key=key
            )
        found = self._source.stat()
        etag = f'"{found.st_ino:x}-{found.st_size:x}-{found.st_mtime_ns:x}"'
        return ObjectInfo(key=key, size_bytes=found.st_size, etag=etag)

    async def download(
        self, found: ObjectInfo, path: Path, on_bytes: Callable[[int], None] | None = None
    ) -> int:
        """Put the source where FFmpeg may read it."""
        await asyncio.to_thread(_place, self._source, path)
        if on_bytes is not None:
            on_bytes(found.size_bytes)
        return found.size_bytes

    async def upload(self, path: Path, key: str, content_type: str) -> int:
        """Put a file into the folder; the suffix tells its type."""
        target = self._folder / key
        target.parent.mkdir(parents=True, exist_ok=True)
        self._stored.add(key)
        await asyncio.to_thread(_place, path, target)
        return target.stat().st_size

    async def copy(self, key: str, target: str) -> None:
        """Put a stored file under another name too. Raises `ObjectNotFound`."""
        if key not in self._stored:
            raise ObjectNotFound(f"{key} was not stored", operation="copying", key=key)
        await self.upload(self._folder / key, target, "")

    async def list(self, prefix: str) -> AsyncIterator[ObjectInfo]:
        """Yield what was stored."""
        for key in sorted(key for key in self._stored if key.startswith(prefix)):
            size_bytes = (self._folder / key).stat().st_size
            yield ObjectInfo(key=key, size_bytes=size_bytes, etag="")

    async def delete_prefix(self, prefix: str) -> int:
        """Delete what was stored, and the folders that are empty then."""
        keys = [key for key in self._stored if key.startswith(prefix)]
        for key in keys:
            path = self._folder / key
            path.unlink(missing_ok=True)
            self._stored.discard(key)
            if path.parent != self._folder and not any(path.parent.iterdir()):
                path.parent.rmdir()
        return len(keys)


def _place(path: Path, target: Path) -> None:
    """Make a file appear under another name, in place of an older one, complete or not at all."""
    new = target.with_name(f".{target.name}.new")
    try:
        os.link(path, new)
    except OSError as error:
        # Another file system, one without links, or the kernel's ban on links to others' files.
        if error.errno not in {errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK, errno.ENOTSUP}:
            raise
        shutil.copyfile(path, new)
    new.replace(target)
    # POSIX lets a rename do nothing when both names are the same file already.
    new.unlink(missing_ok=True)
