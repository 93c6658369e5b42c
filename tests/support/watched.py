"""A storage that watches what is stored of a video that is played while it is encoded."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from vworker.media.encoding import SegmentType
from vworker.media.hls import parse_media_playlist
from vworker.storage import Storage, StorageSettings


class WatchedStorage(Storage):
    """The real storage, which looks at every playlist when it is stored."""

    def __init__(self, settings: StorageSettings) -> None:
        super().__init__(settings)
        self.stored: list[str] = []
        #: Key → its texts, one after another.
        self.playlists: dict[str, list[str]] = {}
        self.missing: list[str] = []
        #: Key → digests of what was stored under it.
        self.contents: dict[str, set[bytes]] = {}

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
        digest = hashlib.sha256(path.read_bytes()).digest()
        self.contents.setdefault(key, set()).add(digest)
        size = await super().upload(path, key, content_type)
        self.stored.append(key)
        return size

    async def copy(self, key: str, target: str) -> None:
        await super().copy(key, target)
        self.stored.append(target)


@dataclass(kw_only=True)
class Told:
    """When the pipeline has told of a playlist."""

    storage: WatchedStorage
    keys: list[str] = field(default_factory=list)
    before: list[str] = field(default_factory=list)

    async def tell(self, key: str) -> None:
        self.keys.append(key)
        self.before = list(self.storage.stored)


def check_growth(
    storage: WatchedStorage, prefix: str, names: tuple[str, ...], segments: SegmentType
) -> None:
    """Playlists grew, listed what was there and stayed, and ended as VOD with the same segments."""
    assert storage.missing == []
    for name in names:
        texts = storage.playlists[f"{prefix}{name}/index.m3u8"]
        *growing, last = [parse_media_playlist(text) for text in texts]
        assert len(growing) > 1
        assert all("TYPE:EVENT" in text for text in texts[:-1])
        assert not any(playlist.ended for playlist in growing)
        assert "TYPE:VOD" in texts[-1]
        assert last.ended
        assert (last.init_uri is None) == (segments is SegmentType.TS)
        counts = [len(playlist.segments) for playlist in growing]
        assert counts == sorted(counts)
        for early in growing:
            assert early.init_uri == last.init_uri
            assert early.target_duration_s == last.target_duration_s
            assert [s.uri for s in early.segments] == [
                s.uri for s in last.segments[: len(early.segments)]
            ]
            assert [s.duration_s for s in early.segments] == pytest.approx(
                [s.duration_s for s in last.segments[: len(early.segments)]], abs=0.001
            )
        for listed in growing[-1].segments:
            assert len(storage.contents.get(f"{prefix}{name}/{listed.uri}", ())) <= 1, listed.uri
