"""A video that is played while it is encoded, over a real S3."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.support.clips import Clips
from tests.support.watched import Told, WatchedStorage, check_growth
from vworker.contract import TranscodeRequest, output_prefix
from vworker.media.encoding import Encoding, SegmentType
from vworker.media.hls import parse_media_playlist
from vworker.media.plan import segment_name
from vworker.media.settings import MediaSettings
from vworker.pipeline import transcode
from vworker.sandbox import Sandbox
from vworker.workspace import Workspace


@dataclass(kw_only=True)
class Viewing:
    """The pipeline over a storage that watches it, with segments of a second."""

    storage: WatchedStorage
    workspace: Workspace
    settings: MediaSettings
    told: Told
    request: TranscodeRequest
    prefix: str

    async def run(self, clip: Path) -> None:
        await self.storage.upload(clip, self.request.source, "video/mp4")

        async def say_nothing(percent: int) -> None:
            del percent

        await transcode(
            self.request,
            prefix=self.prefix,
            storage=self.storage,
            workspace=self.workspace,
            report=say_nothing,
            settings=self.settings,
            tell_early=self.told.tell,
        )


@pytest.fixture
def viewing(
    watched: WatchedStorage, workspace: Workspace, ffmpeg: str, ffprobe: str, sandbox: Sandbox
) -> Viewing:
    video_id = secrets.token_hex(6)
    return Viewing(
        storage=watched,
        workspace=workspace,
        settings=MediaSettings(
            ffmpeg=ffmpeg,
            ffprobe=ffprobe,
            sandbox=sandbox,
            encoding=Encoding(preset="fast", segment_s=1, keyframe_s=1),
        ),
        told=Told(storage=watched),
        request=TranscodeRequest(video_id=video_id, source=f"uploads/{video_id}"),
        prefix=output_prefix(video_id, "1", "tester"),
    )


@pytest.mark.parametrize("segments", list(SegmentType))
async def test_playlists_grow_with_the_segments_and_end_as_vod(
    viewing: Viewing, clips: Clips, segments: SegmentType
) -> None:
    encoding = replace(viewing.settings.encoding, segments=segments)
    viewing.settings = replace(viewing.settings, encoding=encoding)
    await viewing.run(clips.standard())

    told, prefix, watched = viewing.told, viewing.prefix, viewing.storage
    assert told.keys == [f"{prefix}master.m3u8"]
    assert f"{prefix}480p/{segment_name(14, segments)}" not in told.before
    names = ("480p", "360p", "audio")
    assert {f"{prefix}{name}/index.m3u8" for name in names} <= set(told.before)
    check_growth(watched, prefix, names, segments)
    early_master, master = watched.playlists[f"{prefix}master.m3u8"]
    assert "AVERAGE-BANDWIDTH=1528000" in early_master
    assert 'CODECS="avc1.' in early_master
    assert "I-FRAME" not in early_master
    assert "I-FRAME" in master
    request = replace(viewing.request, early_playlist=told.keys[0])
    assert request.to_json()["early_playlist"] == told.keys[0]


async def test_a_sound_that_begins_late_is_listed_as_it_will_stay(
    viewing: Viewing, clips: Clips
) -> None:
    await viewing.run(clips.late_sound())
    check_growth(viewing.storage, viewing.prefix, ("480p", "360p", "audio"), SegmentType.TS)


@pytest.mark.parametrize(
    ("clip", "segment_s", "target_s"), [(Clips.slow, 1, 2), (Clips.silent, 6, 6)]
)
async def test_a_target_duration_that_was_told_stays(
    viewing: Viewing, clips: Clips, clip: Callable[[Clips], Path], segment_s: int, target_s: int
) -> None:
    encoding = replace(viewing.settings.encoding, segment_s=segment_s)
    viewing.settings = replace(viewing.settings, encoding=encoding)
    await viewing.run(clip(clips))
    texts = viewing.storage.playlists[f"{viewing.prefix}360p/index.m3u8"]
    assert {parse_media_playlist(text).target_duration_s for text in texts} == {target_s}
