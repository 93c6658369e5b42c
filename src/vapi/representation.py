"""A video as the API tells it, made from its document."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from vworker.catalog import Document

#: Statuses after which nothing more happens to a video.
FINAL_STATUSES = frozenset({"completed", "failed"})

#: Fields that are told as they are stored.
_PLAIN = (
    "status",
    "progress",
    "attempts",
    "source",
    "profile",
    "error",
    "last_error",
    "source_info",
    "size_bytes",
    "timings",
)
_TIMES = ("created_at", "started_at", "finished_at")


def video_path(video_id: str) -> str:
    """Return the path of a video."""
    return f"/v1/videos/{quote(video_id, safe='')}"


def watch_path(video_id: str) -> str:
    """Return the path of a video's playback page."""
    return f"/watch/{quote(video_id, safe='')}"


def video_json(document: Document) -> dict[str, Any]:
    """Return a video; what is not known yet is null."""
    video_id = document["_id"]
    path = video_path(video_id)
    playlist = playlist_url(document)
    video = {"id": video_id, **{name: document.get(name) for name in _PLAIN}}
    video |= {name: utc_text(document.get(name)) for name in _TIMES}
    audio = document.get("audio")
    video |= {
        "renditions": [_playable(item, document) for item in document.get("renditions") or ()],
        "audio": None if audio is None else _playable(audio, document),
        "audio_tracks": [_playable(item, document) for item in document.get("audio_tracks") or ()],
        "subtitles": [_playable(item, document) for item in document.get("subtitles") or ()],
        "playlist": playlist,
        **{name: _file_url(document, name) for name in ("poster", "storyboard")},
        "links": {
            "self": path,
            "events": f"{path}/events",
            "playlist": playlist,
            "watch": watch_path(video_id),
        },
    }
    return video


def state_json(document: Document) -> dict[str, Any]:
    """Return the short form of a video that its events carry."""
    return {
        "id": document["_id"],
        "status": document["status"],
        "progress": document.get("progress") or 0,
        "attempts": document.get("attempts") or 0,
        "error": document.get("error"),
        "playlist": playlist_url(document),
    }


def playlist_url(document: Document) -> str | None:
    """Return the path of the master playlist, None as long as there is nothing to play."""
    key = _playlist_key(document)
    return None if key is None else _hls_url(key, document)


def output_prefix_of(document: Document) -> str | None:
    """Return the S3 prefix, ending in "/", of what can be played of a video, None without."""
    key = _playlist_key(document)
    return None if key is None else key.rpartition("/")[0] + "/"


def _playlist_key(document: Document) -> str | None:
    """Return the S3 key of the master playlist: the finished one, or that of a running attempt."""
    if document["status"] in FINAL_STATUSES:
        key = document.get("playlist") if document["status"] == "completed" else None
    else:
        key = document.get("early_playlist")
    return key if isinstance(key, str) else None


def _file_url(document: Document, field: str) -> str | None:
    """Return the path of a file that a field names by its S3 key; None when it names none."""
    key = document.get(field)
    return _hls_url(key, document) if isinstance(key, str) else None


def _playable(rendition: Mapping[str, Any], document: Document) -> dict[str, Any]:
    """Replace the S3 key of a rendition's playlist by its path here."""
    return {**rendition, "playlist": _hls_url(rendition["playlist"], document)}


def _hls_url(key: str, document: Document) -> str:
    prefix = output_prefix_of(document) or ""
    return f"{video_path(document['_id'])}/hls/{quote(key.removeprefix(prefix))}"


def utc_text(value: datetime | None) -> str | None:
    """Return UTC in RFC 3339 with milliseconds, which is what MongoDB keeps."""
    if value is None:
        return None
    return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
