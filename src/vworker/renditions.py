"""What the result of a transcode job tells of its parts: renditions and the source.

`from_json` checks and raises `InvalidPayload`, whose message names the field; unknown fields are
ignored, since a newer worker may have written them.
"""

from __future__ import annotations

import dataclasses
from typing import Self

from vworker.fields import Fields


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Rendition:
    """One published video rung, with rates measured on its segments."""

    #: Short side with a "p", e.g. "720p"; the folder under the prefix.
    name: str
    #: Pixels, both even.
    width: int
    height: int
    #: Frames per second.
    frame_rate: float
    #: RFC 6381 codec string of the video alone, e.g. "avc1.64001f".
    codecs: str
    #: Peak bits per second over about one target duration, video alone.
    bandwidth: int
    #: Mean bits per second over the whole rendition, video alone.
    average_bandwidth: int
    #: Number of segments and their bytes.
    segments: int
    size_bytes: int
    #: Sum of the segments' durations in seconds.
    duration_s: float
    #: S3 key of the media playlist.
    playlist: str

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Read one rendition of a result."""
        fields = Fields("rendition", data)
        return cls(
            name=fields.text("name"),
            width=fields.integer("width"),
            height=fields.integer("height"),
            frame_rate=fields.number("frame_rate"),
            codecs=fields.text("codecs"),
            bandwidth=fields.integer("bandwidth"),
            average_bandwidth=fields.integer("average_bandwidth"),
            segments=fields.integer("segments"),
            size_bytes=fields.integer("size_bytes"),
            duration_s=fields.number("duration_s"),
            playlist=fields.text("playlist"),
        )


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class AudioRendition:
    """The published sound, a rendition of its own that every rung shares."""

    name: str
    #: BCP 47 tag of the source's track; None when it names none.
    language: str | None
    codecs: str
    bandwidth: int
    average_bandwidth: int
    segments: int
    size_bytes: int
    duration_s: float
    playlist: str

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Read the audio rendition of a result."""
        fields = Fields("audio rendition", data)
        return cls(
            name=fields.text("name"),
            language=fields.text("language") if fields.has("language") else None,
            codecs=fields.text("codecs"),
            bandwidth=fields.integer("bandwidth"),
            average_bandwidth=fields.integer("average_bandwidth"),
            segments=fields.integer("segments"),
            size_bytes=fields.integer("size_bytes"),
            duration_s=fields.number("duration_s"),
            playlist=fields.text("playlist"),
        )


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class SubtitleRendition:
    """One published WebVTT track."""

    name: str
    #: BCP 47 tag; None when the source names none.
    language: str | None
    #: Whether it holds only what a viewer of this language cannot understand.
    forced: bool
    segments: int
    size_bytes: int
    playlist: str

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Read one subtitle rendition of a result."""
        fields = Fields("subtitle rendition", data)
        return cls(
            name=fields.text("name"),
            language=fields.text("language") if fields.has("language") else None,
            forced=fields.truth("forced"),
            segments=fields.integer("segments"),
            size_bytes=fields.integer("size_bytes"),
            playlist=fields.text("playlist"),
        )


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class SourceSummary:
    """What the probe found in the source."""

    size_bytes: int
    #: FFmpeg's name of the container, e.g. "mov,mp4,m4a,3gp,3g2,mj2".
    container: str
    #: Duration of the video stream in seconds; None when the file does not tell.
    duration_s: float | None
    #: Pixels as shown: rotated, with square pixels.
    width: int
    height: int
    frame_rate: float
    video_codec: str
    #: None when the source has no sound.
    audio_codec: str | None

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Read the source part of a result."""
        fields = Fields("source", data)
        return cls(
            size_bytes=fields.integer("size_bytes"),
            container=fields.text("container"),
            duration_s=fields.number("duration_s") if fields.has("duration_s") else None,
            width=fields.integer("width"),
            height=fields.integer("height"),
            frame_rate=fields.number("frame_rate"),
            video_codec=fields.text("video_codec"),
            audio_codec=fields.text("audio_codec") if fields.has("audio_codec") else None,
        )
