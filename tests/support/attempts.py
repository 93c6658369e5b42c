"""Attempts at one video that may end half way, over a real S3."""

import asyncio
import secrets
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.waiting import until
from vworker.contract import TranscodeRequest, TranscodeResult, output_prefix
from vworker.early import Tell
from vworker.media.encoding import SegmentType
from vworker.media.settings import MediaSettings
from vworker.object_store import ObjectStore
from vworker.pipeline import transcode
from vworker.storage import Storage
from vworker.workspace import Workspace


class Counting:
    """A storage that tells when so many segments of both rungs have been uploaded."""

    def __init__(self, storage: Storage, segments: int) -> None:
        self.reached = asyncio.Event()
        self._storage = storage
        self._missing = {"480p": segments, "360p": segments}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    async def upload(self, path: Path, key: str, content_type: str) -> int:
        size = await self._storage.upload(path, key, content_type)
        rung = path.parent.name
        if path.name.startswith("seg_") and rung in self._missing:
            self._missing[rung] -= 1
            if max(self._missing.values()) <= 0:
                self.reached.set()
        return size


class Slow:
    """A storage that keeps every segment on its way until it is opened."""

    def __init__(self, storage: Storage) -> None:
        self.open = asyncio.Event()
        self._storage = storage

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    async def upload(self, path: Path, key: str, content_type: str) -> int:
        if path.name.startswith("seg_"):
            await self.open.wait()
        return await self._storage.upload(path, key, content_type)


@dataclass(kw_only=True)
class Video:
    """One video, and attempts at it that may end half way."""

    storage: Storage
    workspace: Workspace
    #: Where the workspace lies.
    scratch: Path
    settings: MediaSettings
    video_id: str = field(default_factory=lambda: secrets.token_hex(6))
    profile: str | None = None

    def use_fmp4(self) -> None:
        encoding = replace(self.settings.encoding, segments=SegmentType.FMP4)
        self.settings = replace(self.settings, encoding=encoding)

    def prefix(self, fence: int) -> str:
        return output_prefix(self.video_id, str(fence), "tester")

    async def upload(self, clip: Path) -> None:
        await self.storage.upload(clip, f"uploads/{self.video_id}", "video/mp4")

    async def attempt(
        self, fence: int, storage: ObjectStore | None = None, tell_early: Tell | None = None
    ) -> TranscodeResult:
        async def say_nothing(percent: int) -> None:
            del percent

        source = f"uploads/{self.video_id}"
        return await transcode(
            TranscodeRequest(video_id=self.video_id, source=source, profile=self.profile),
            prefix=self.prefix(fence),
            storage=storage or self.storage,
            workspace=self.workspace,
            report=say_nothing,
            settings=self.settings,
            resumable=True,
            tell_early=tell_early,
        )

    async def interrupted(self, fence: int, *, segments: int) -> None:
        """Cancel an attempt when it has stored this many segments of its own for each rung.

        Those that it has taken over are copies, and do not count.
        """
        storage = Counting(self.storage, segments)
        attempt = asyncio.create_task(self.attempt(fence, storage))
        async with asyncio.timeout(60):
            await storage.reached.wait()
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt

    def scratch_files(self) -> list[Path]:
        """What lies in the scratch folder."""
        return [path for path in self.scratch.glob("*/**/*") if path.is_file()]

    async def finished_in_scratch(self, segments: int) -> int:
        """Wait until FFmpeg has finished this many of every rung; return how many there are."""

        def count() -> int:
            names = [path.match("seg_*.ts") and path.parent.name for path in self.scratch_files()]
            return min(names.count("480p"), names.count("360p"))

        await until(lambda: count() >= segments, what=f"{segments} segments", deadline=60)
        return count()

    async def objects(self, fence: int) -> dict[str, str]:
        """Name under the prefix → ETag."""
        prefix = self.prefix(fence)
        return {
            found.key.removeprefix(prefix): found.etag async for found in self.storage.list(prefix)
        }

    async def fetched(self, fence: int, folder: Path) -> Path:
        """Download all that is under a prefix."""
        async for found in self.storage.list(self.prefix(fence)):
            path = folder / found.key.removeprefix(self.prefix(fence))
            path.parent.mkdir(parents=True, exist_ok=True)
            await self.storage.download(found, path)
        return folder
