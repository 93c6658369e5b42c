"""A video that is played while an attempt goes on behind another one's segments."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.attempts import Video
from tests.support.clips import Clips
from tests.support.watched import Told, WatchedStorage, check_growth
from vworker.media.check.checker import check
from vworker.media.check.files import Folder
from vworker.media.encoding import SegmentType
from vworker.media.hls import parse_media_playlist
from vworker.media.plan import segment_name


@pytest.mark.parametrize("segments", list(SegmentType))
async def test_a_resumed_video_is_played_from_its_beginning_while_its_rest_is_encoded(
    video: Video, watched: WatchedStorage, clips: Clips, segments: SegmentType, tmp_path: Path
) -> None:
    encoding = replace(video.settings.encoding, segments=segments)
    video.settings = replace(video.settings, encoding=encoding)
    await video.upload(clips.standard())
    await video.interrupted(1, segments=4)
    told, prefix = Told(storage=watched), video.prefix(2)
    result = await video.attempt(2, watched, told.tell)

    assert told.keys == [f"{prefix}master.m3u8"]
    for name in ("480p", "360p"):
        first = parse_media_playlist(watched.playlists[f"{prefix}{name}/index.m3u8"][0])
        assert len(first.segments) >= 4
    assert f"{prefix}480p/{segment_name(14, segments)}" not in told.before
    check_growth(watched, prefix, ("480p", "360p", "audio"), segments)
    objects = [found async for found in video.storage.list(prefix)]
    sizes = {found.key.removeprefix(prefix): found.size_bytes for found in objects}
    assert result.size_bytes == sum(sizes.values()) - sizes["attempt.json"]
    folder = await video.fetched(2, tmp_path / "second")
    report = check(Folder(folder), "master.m3u8", source_s=14.5)
    assert report.passed, report.findings
