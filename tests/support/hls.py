"""Published renditions as a test looks at them: playlists from S3, segments by ffprobe."""

import json
import subprocess
from pathlib import Path
from typing import Any

from vworker.media.hls import MediaPlaylist, parse_media_playlist
from vworker.storage import Storage


async def read_playlist(storage: Storage, key: str) -> tuple[MediaPlaylist, list[str]]:
    """Return a media playlist in S3 and the keys of its segments."""
    async with await storage.open(key) as stream:
        text = b"".join([chunk async for chunk in stream]).decode()
    playlist = parse_media_playlist(text)
    folder = key.rpartition("/")[0]
    return playlist, [f"{folder}/{segment.uri}" for segment in playlist.segments]


def picture_size(ffprobe: str, segment: Path) -> tuple[int, int]:
    """Return width and height of a segment's picture; its pixels must be square."""
    (stream,) = _probe(ffprobe, segment, "stream=width,height,sample_aspect_ratio")["streams"]
    assert stream["sample_aspect_ratio"] == "1:1"
    return stream["width"], stream["height"]


def keyframe_times(ffprobe: str, segment: Path) -> list[str]:
    """Return the times of a segment's keyframes; the first packet must be one."""
    packets = _probe(ffprobe, segment, "packet=pts_time,flags")["packets"]
    assert packets[0]["flags"].startswith("K")
    return [packet["pts_time"] for packet in packets if packet["flags"].startswith("K")]


def _probe(ffprobe: str, path: Path, entries: str) -> Any:
    select = ("-select_streams", "v", "-show_entries", entries)
    found = subprocess.run(
        [ffprobe, "-v", "error", *select, "-of", "json", str(path)],
        check=True,
        capture_output=True,
    )
    answer = json.loads(found.stdout)
    # FFmpeg lists a transport stream's picture under its program as well.
    answer.pop("programs", None)
    return answer
