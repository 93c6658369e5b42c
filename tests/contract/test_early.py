"""A video that is played while it is encoded, over a real S3."""

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests.support.clips import Clips
from vworker.contract import TranscodeRequest, output_prefix
from vworker.media.encoding import Encoding, SegmentType
from vworker.media.hls import parse_media_playlist
from vworker.media.plan import segment_name
from vworker.media.settings import MediaSettings
from vworker.pipeline import transcode
from vworker.sandbox import Sandbox
from vworker.storage import Storage, StorageSettings
from vworker.workspace import Workspace


class WatchedStorage(Storage):
    """The real storage, which looks at every playlist when it is stored."""

    def __init__(self, settings: StorageSettings) -> None:
        super().__init__(settings)
        self.stored: list[str] = []
        #: Key → its texts, one after another.
        self.playlists: dict[str, list[str]] = {}
        self.missing: list[str] = []

    async def upload(self, path: Path, key: str, content_type: str) -> int:
        if path.suffix == ".m3u8":
            text = path.read_text()
            self.playlists.setdefault(key, []).append(text)
            if "#EXTINF" in text and "I-FRAMES" not in text:
                folder = key.rpartition("/")[0]
                playlist = parse_media_playlist(text)
                named = [s.uri for s in playlist.segments]
                if playlist.init_uri is not None:
                    named.append(playlist.init_uri)
                listed = [f"{folder}/{name}" for name in named]
                self.missing += [uri for uri in listed if uri not in self.stored]
        size = await super().upload(path, key, content_type)
        self.stored.append(key)
        return size


@dataclass(kw_only=True)
class Told:
    """When the pipeline has told of a playlist."""

    storage: WatchedStorage
    keys: list[str] = field(default_factory=list)
    before: list[str] = field(default_factory=list)

    async def tell(self, key: str) -> None:
        self.keys.append(key)
        self.before = list(self.storage.stored)


@pytest.fixture
async def watched(storage_settings: StorageSettings) -> AsyncIterator[WatchedStorage]:
    async with WatchedStorage(storage_settings) as storage:
        yield storage


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
    assert watched.missing == []
    for name in ("480p", "360p", "audio"):
        assert f"{prefix}{name}/index.m3u8" in told.before
        texts = watched.playlists[f"{prefix}{name}/index.m3u8"]
        *growing, last = [parse_media_playlist(text) for text in texts]
        assert len(growing) > 1
        assert all("TYPE:EVENT" in text for text in texts[:-1])
        assert not any(playlist.ended for playlist in growing)
        assert "TYPE:VOD" in texts[-1]
        assert last.ended
        assert (last.init_uri is None) == (segments is SegmentType.TS)
        for early in growing:
            assert early.init_uri == last.init_uri
            assert early.target_duration_s == last.target_duration_s
            assert [s.uri for s in early.segments] == [
                s.uri for s in last.segments[: len(early.segments)]
            ]
            assert [s.duration_s for s in early.segments] == pytest.approx(
                [s.duration_s for s in last.segments[: len(early.segments)]], abs=0.001
            )
    early_master, master = watched.playlists[f"{prefix}master.m3u8"]
    assert "AVERAGE-BANDWIDTH=1528000" in early_master
    assert 'CODECS="avc1.' in early_master
    assert "I-FRAME" not in early_master
    assert "I-FRAME" in master
    assert replace(request, early_playlist=told.keys[0]).to_json()["early_playlist"] == told.keys[0]
