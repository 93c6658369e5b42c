"""What the pipeline needs of a place for objects: a bucket of S3 has it, and a local folder."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectInfo:
    """What HeadObject and ListObjects tell of one object."""

    key: str
    size_bytes: int
    #: With its quotes, as HTTP has it.
    etag: str


class ObjectStore(Protocol):
    """The part of `vworker.storage.Storage` that an attempt uses; what it says there holds here."""

    async def ready(self) -> None:
        """Return when objects can be read and stored."""

    async def head(self, key: str) -> ObjectInfo:
        """Return size and ETag. Raises `ObjectNotFound`."""

    async def download(
        self, found: ObjectInfo, path: Path, on_bytes: Callable[[int], None] | None = None
    ) -> int:
        """Bring an object into a new file; return its size in bytes."""

    async def upload(self, path: Path, key: str, content_type: str) -> int:
        """Store a file; return its size in bytes. Safe to repeat."""

    async def copy(self, key: str, target: str) -> None:
        """Store an object under another key too. Raises `ObjectNotFound`."""

    def list(self, prefix: str) -> AsyncIterator[ObjectInfo]:
        """Yield every object under a prefix, in key order."""

    async def delete_prefix(self, prefix: str) -> int:
        """Delete every object under a prefix; return how many there were. Safe to repeat."""
