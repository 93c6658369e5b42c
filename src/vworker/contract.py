"""What the API and the worker agree on: names, the job's payload, its result, where output goes.

Both sides import this module and nothing of each other. `to_json` gives plain dicts, lists,
strings and numbers that any JSON or BSON encoder takes; `from_json` checks and raises
`InvalidPayload`, whose message names the field.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Any, Self

from vworker.errors import InvalidPayload
from vworker.fields import Fields
from vworker.renditions import AudioRendition, Rendition, SourceSummary, SubtitleRendition

QUEUE_NAME = "video-transcode"
JOB_NAME = "transcode"

#: Content types of what is published, by suffix; guessing from ".ts" gives TypeScript or Qt.
PLAYLIST_CONTENT_TYPE = "application/vnd.apple.mpegurl"
CONTENT_TYPES = {
    ".m3u8": PLAYLIST_CONTENT_TYPE,
    ".ts": "video/mp2t",
    ".m4s": "video/mp4",
    ".mp4": "video/mp4",
    ".vtt": "text/vtt",
    ".jpg": "image/jpeg",
}

_VIDEO_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_PROFILE = re.compile(r"[a-z0-9_-]{1,64}")
_MAX_KEY_BYTES = 1024  # the limit of S3


def upload_key(video_id: str) -> str:
    """Return the key of a source that came through the API."""
    return f"uploads/{_checked_video_id(video_id)}"


def output_prefix(video_id: str, fence: str, consumer: str) -> str:
    """Return the key prefix, ending in "/", that one attempt alone writes under.

    A reclaimed stream entry keeps its id, so the fence alone would be shared by two workers:
    the consumer's name is part of the prefix. Characters of it that are special in a URL are
    replaced.
    """
    owner = re.sub(r"[^A-Za-z0-9._-]", "_", f"{fence}-{consumer}")
    return f"{videos_prefix(video_id)}{owner}/"


def videos_prefix(video_id: str) -> str:
    """Return the key prefix, ending in "/", under which all attempts at a video write."""
    return f"videos/{_checked_video_id(video_id)}/"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class TranscodeRequest:
    """The payload of a transcode job. Raises `InvalidPayload` when a value is unusable."""

    #: Id of the video, of its document and of its job: `[A-Za-z0-9_-]{1,128}`.
    video_id: str
    #: S3 key of the source.
    source: str
    #: Name of one of the worker's profiles: `[a-z0-9_-]{1,64}`; None for its default.
    profile: str | None = None
    #: S3 key of the master playlist with which an attempt under way can be played already; the
    #: worker sets it.
    early_playlist: str | None = None

    def __post_init__(self) -> None:
        _checked_video_id(self.video_id)
        _check_key(self.source)
        if self.profile is not None and _PROFILE.fullmatch(self.profile) is None:
            raise InvalidPayload(
                f"profile must be 1 to 64 characters of a-z, 0-9, _ and -, found {self.profile!r}"
            )
        own = videos_prefix(self.video_id)
        if self.early_playlist is not None and not self.early_playlist.startswith(own):
            raise InvalidPayload(
                f"early_playlist must be a key under {own}, found {self.early_playlist!r}"
            )

    def to_json(self) -> dict[str, Any]:
        """Return the payload as a plain dict."""
        data = {"video_id": self.video_id, "source": self.source}
        optional = {"profile": self.profile, "early_playlist": self.early_playlist}
        return data | {name: value for name, value in optional.items() if value is not None}

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Read a payload; unknown fields are refused, as they would be silently without effect."""
        fields = Fields("transcode request", data)
        fields.only({"video_id", "source", "profile", "early_playlist"})
        return cls(
            video_id=fields.text("video_id"),
            source=fields.text("source"),
            profile=fields.text("profile") if fields.has("profile") else None,
            early_playlist=fields.text("early_playlist") if fields.has("early_playlist") else None,
        )


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class PhaseTimings:
    """Wall seconds per phase; uploads run during the encode, `publish_s` is what came after it."""

    download_s: float
    probe_s: float
    encode_s: float
    publish_s: float

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Read the timings of a result."""
        fields = Fields("timings", data)
        return cls(
            download_s=fields.number("download_s"),
            probe_s=fields.number("probe_s"),
            encode_s=fields.number("encode_s"),
            publish_s=fields.number("publish_s"),
        )


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class TranscodeResult:
    """The result of a transcode job: everything named here is in S3 when it is returned."""

    #: S3 key of the master playlist.
    playlist: str
    #: Video rungs, the largest first.
    renditions: tuple[Rendition, ...]
    #: The sound that players choose by themselves; None when the source has none.
    audio: AudioRendition | None
    source: SourceSummary
    #: Bytes of everything that was published.
    size_bytes: int
    timings: PhaseTimings
    #: S3 keys of a JPEG, and of a WebVTT whose cues name rectangles of sprites beside it; None in
    #: the results of older workers.
    poster: str | None = None
    storyboard: str | None = None
    #: All sounds in the source's order, `audio` among them.
    audio_tracks: tuple[AudioRendition, ...] = ()
    #: WebVTT renditions in the source's order.
    subtitles: tuple[SubtitleRendition, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the result as plain dicts and lists."""
        data = dataclasses.asdict(self)
        data |= {name: list(data[name]) for name in ("renditions", "audio_tracks", "subtitles")}
        return data

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Read a result; unknown fields are ignored, since a newer worker may have written it."""
        fields = Fields("transcode result", data)
        return cls(
            playlist=fields.text("playlist"),
            renditions=tuple(Rendition.from_json(item) for item in fields.array("renditions")),
            audio=AudioRendition.from_json(fields.nested("audio")) if fields.has("audio") else None,
            source=SourceSummary.from_json(fields.nested("source")),
            size_bytes=fields.integer("size_bytes"),
            timings=PhaseTimings.from_json(fields.nested("timings")),
            poster=fields.text("poster") if fields.has("poster") else None,
            storyboard=fields.text("storyboard") if fields.has("storyboard") else None,
            audio_tracks=tuple(
                AudioRendition.from_json(item)
                for item in (fields.array("audio_tracks") if fields.has("audio_tracks") else ())
            ),
            subtitles=tuple(
                SubtitleRendition.from_json(item)
                for item in (fields.array("subtitles") if fields.has("subtitles") else ())
            ),
        )


def _checked_video_id(video_id: str) -> str:
    if _VIDEO_ID.fullmatch(video_id) is None:
        raise InvalidPayload(
            f"video_id must be 1 to 128 characters of A-Z, a-z, 0-9, _ and -, found {video_id!r}"
        )
    return video_id


def _check_key(key: str) -> None:
    """Refuse keys that some S3 server, proxy or HTTP client would read as another key."""
    if not key or len(key.encode(errors="surrogatepass")) > _MAX_KEY_BYTES:
        raise InvalidPayload(f"source must be an S3 key of 1 to {_MAX_KEY_BYTES} bytes")
    if not key.isprintable():
        raise InvalidPayload(f"source must not hold control characters, found {key!r}")
    if key.startswith("/") or any(part in {".", ".."} for part in key.split("/")):
        raise InvalidPayload(
            f'source must not start with "/" nor have "." or ".." as a path part, found {key!r}'
        )
