"""Attempts that go on where an earlier one has ended, over a real S3."""

import asyncio
import logging
import secrets
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.clips import Clips
from vworker.contract import TranscodeRequest, TranscodeResult, output_prefix, videos_prefix
from vworker.errors import ErrorCode, TranscodeError
from vworker.media.check.checker import check
from vworker.media.check.files import Folder
from vworker.media.encoding import Encoding, SegmentType
from vworker.media.settings import MediaSettings
from vworker.object_store import ObjectStore
from vworker.pipeline import transcode
from vworker.sandbox import Sandbox
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


@dataclass(kw_only=True)
class Video:
    """One video, and attempts at it that may end half way."""

    storage: Storage
    workspace: Workspace
    settings: MediaSettings
    video_id: str = field(default_factory=lambda: secrets.token_hex(6))

    def use_fmp4(self) -> None:
        encoding = replace(self.settings.encoding, segments=SegmentType.FMP4)
        self.settings = replace(self.settings, encoding=encoding)

    def prefix(self, fence: int) -> str:
        return output_prefix(self.video_id, str(fence), "tester")

    async def upload(self, clip: Path) -> None:
        await self.storage.upload(clip, f"uploads/{self.video_id}", "video/mp4")

    async def attempt(self, fence: int, storage: ObjectStore | None = None) -> TranscodeResult:
        async def say_nothing(percent: int) -> None:
            del percent

        return await transcode(
            TranscodeRequest(video_id=self.video_id, source=f"uploads/{self.video_id}"),
            prefix=self.prefix(fence),
            storage=storage or self.storage,
            workspace=self.workspace,
            report=say_nothing,
            settings=self.settings,
            resumable=True,
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


@pytest.fixture
def video(
    storage: Storage, workspace: Workspace, ffmpeg: str, ffprobe: str, sandbox: Sandbox
) -> Video:
    # Slow enough to be interrupted between two segments.
    encoding = Encoding(preset="faster", segment_s=1, keyframe_s=1, ladder={480: 10**6, 360: 10**6})
    settings = MediaSettings(ffmpeg=ffmpeg, ffprobe=ffprobe, sandbox=sandbox, encoding=encoding)
    return Video(storage=storage, workspace=workspace, settings=settings)


def resumed(caplog: pytest.LogCaptureFixture) -> list[tuple[int, int]]:
    """Segments and pictures that attempts have taken over, as they tell in the log."""
    records = [r for r in caplog.records if getattr(r, "action", "") == "resume"]
    return [r.args[:2] for r in records if isinstance(r.args, tuple)]  # type: ignore[misc]


def kept_segments(objects: dict[str, str], count: int) -> dict[str, str]:
    names = [f"{rung}/seg_{n:05d}.ts" for rung in ("480p", "360p") for n in range(count)]
    return {name: objects[name] for name in names}


async def test_a_next_attempt_encodes_only_what_is_missing(
    video: Video, clips: Clips, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await video.upload(clips.standard())
    await video.interrupted(1, segments=4)
    first = await video.objects(1)
    assert "master.m3u8" not in first

    result = await video.attempt(2)
    [(segments, pictures)] = resumed(caplog)
    assert segments >= 4
    assert pictures == 30 * segments
    second = await video.objects(2)
    assert kept_segments(second, segments) == kept_segments(first, segments)
    assert result.renditions[0].segments == 15
    assert (
        result.size_bytes
        == sum([f.size_bytes async for f in video.storage.list(video.prefix(2))])
        - (await video.storage.head(f"{video.prefix(2)}attempt.json")).size_bytes
    )
    folder = await video.fetched(2, tmp_path / "second")
    report = check(Folder(folder), "master.m3u8", source_s=14.5)
    assert report.passed, report.findings


async def test_the_attempt_that_got_furthest_is_gone_on_from(
    video: Video, clips: Clips, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await video.upload(clips.standard())
    await video.interrupted(1, segments=3)
    await video.interrupted(2, segments=2)
    await video.attempt(3)
    second, third = resumed(caplog)
    assert second[0] >= 3
    assert third[0] >= second[0] + 2


async def test_another_source_begins_from_zero(
    video: Video, clips: Clips, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await video.upload(clips.standard())
    await video.interrupted(1, segments=1)
    await video.upload(clips.silent())
    await video.attempt(2)
    assert resumed(caplog) == []


async def test_fragmented_mp4_is_gone_on_from_with_its_own_initialization_section(
    video: Video, clips: Clips, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    video.use_fmp4()
    await video.upload(clips.standard())
    await video.interrupted(1, segments=4)
    first = await video.objects(1)
    result = await video.attempt(2)
    [(segments, pictures)] = resumed(caplog)
    assert segments >= 4
    assert pictures == 30 * segments
    second = await video.objects(2)
    taken = [f"480p/seg_{number:05d}.m4s" for number in range(segments)]
    for name in (*taken, "480p/init_480p.mp4", "360p/init_360p.mp4"):
        assert second[name] == first[name], name
    assert not [name for name in second if "later" in name or "trial" in name]
    assert (
        result.size_bytes
        == sum([f.size_bytes async for f in video.storage.list(video.prefix(2))])
        - (await video.storage.head(f"{video.prefix(2)}attempt.json")).size_bytes
    )
    folder = await video.fetched(2, tmp_path / "second")
    report = check(Folder(folder), "master.m3u8", source_s=14.5)
    assert report.passed, report.findings


async def test_fragmented_mp4_of_another_encoder_begins_from_zero(
    video: Video, clips: Clips, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    video.use_fmp4()
    await video.upload(clips.standard())
    await video.interrupted(1, segments=1)
    key = f"{video.prefix(1)}360p/init_360p.mp4"
    init = tmp_path / "init.mp4"
    await video.storage.download(await video.storage.head(key), init)
    # Of High profile, level 3.0, the box says then level 3.1; the parameter set too.
    data = init.read_bytes()
    assert data.count(b"\x64\x00\x1e") == 2
    init.write_bytes(data.replace(b"\x64\x00\x1e", b"\x64\x00\x1f"))
    await video.storage.upload(init, key, "video/mp4")
    await video.attempt(2)
    assert resumed(caplog) == []
    folder = await video.fetched(2, tmp_path / "second")
    report = check(Folder(folder), "master.m3u8", source_s=14.5)
    assert report.passed, report.findings


async def test_an_attempt_that_fails_for_good_leaves_nothing(video: Video, clips: Clips) -> None:
    await video.upload(clips.cut_off(clips.full_hd()))
    with pytest.raises(TranscodeError) as failure:
        await video.attempt(1)
    assert failure.value.code is ErrorCode.SOURCE_TRUNCATED
    assert [f.key async for f in video.storage.list(videos_prefix(video.video_id))] == []
