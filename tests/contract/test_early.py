"""A video that is played while it is encoded, over a real S3."""

import secrets
from dataclasses import replace

import pytest

from tests.support.clips import Clips
from tests.support.watched import Told, WatchedStorage, check_growth
from vworker.contract import TranscodeRequest, output_prefix
from vworker.media.encoding import Encoding, SegmentType
from vworker.media.plan import segment_name
from vworker.media.settings import MediaSettings
from vworker.pipeline import transcode
from vworker.sandbox import Sandbox
from vworker.workspace import Workspace


@pytest.mark.parametrize("segments", list(SegmentType))
async def test_playlists_grow_with_the_segments_and_end_as_vod(
    segments: SegmentType,
    watched: WatchedStorage,
    workspace: Workspace,
    clips: Clips,
    ffmpeg: str,
    ffprobe: str,
    sandbox: Sandbox,
) -> None:
    settings = MediaSettings(
        ffmpeg=ffmpeg,
        ffprobe=ffprobe,
        sandbox=sandbox,
        encoding=Encoding(preset="fast", segment_s=1, keyframe_s=1, segments=segments),
    )
    video_id = secrets.token_hex(6)
    request = TranscodeRequest(video_id=video_id, source=f"uploads/{video_id}")
    prefix = output_prefix(video_id, "1", "tester")
    await watched.upload(clips.standard(), request.source, "video/mp4")
    told = Told(storage=watched)

    async def say_nothing(percent: int) -> None:
        del percent

    await transcode(
        request,
        prefix=prefix,
        storage=watched,
        workspace=workspace,
        report=say_nothing,
        settings=settings,
        tell_early=told.tell,
    )
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
    assert replace(request, early_playlist=told.keys[0]).to_json()["early_playlist"] == told.keys[0]
