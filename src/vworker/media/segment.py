"""What is in one media segment, whatever its container: tracks, frames, their times and bytes.

`ts.py` and `fmp4.py` make these from bytes; playlists, stills and the checker are made from them.
Times are in seconds on the stream's own clock.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from typing import Self, TypedDict

from vworker.media.h264 import VideoFormat


class Kind(StrEnum):
    """What a track carries."""

    VIDEO = "video"
    AUDIO = "audio"
    #: Anything else: it has no frames here.
    OTHER = "other"


class Container(StrEnum):
    """How a segment is packed."""

    TS = "MPEG transport stream"
    FMP4 = "fragmented MP4"


class MalformedSegment(ValueError):
    """The bytes are no segment of a container that HLS allows; the message says what was found."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AudioFormat:
    """What an AAC header says of a stream."""

    #: MPEG-4 audio object type; 2 is AAC-LC.
    object_type: int
    sample_rate: int
    channels: int

    @property
    def codec(self) -> str:
        """RFC 6381 string, e.g. "mp4a.40.2"."""
        return f"mp4a.40.{self.object_type}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Frame:
    """One picture, or one run of sound that is stored together."""

    #: When it is shown, and when it must be decoded.
    pts_s: float
    dts_s: float
    #: None where the container does not tell (a picture in a transport stream).
    duration_s: float | None
    #: A picture that can be decoded alone, with its parameter sets in front (IDR). Sound always.
    key: bool
    #: Its bytes in the segment's file: from `start` up to, not including, `end`.
    start: int
    end: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Track:
    """One elementary stream of a segment.

    Of its frames only the keys are kept: twelve hours in four rungs have ten million frames.
    """

    kind: Kind
    #: How many frames there are.
    count: int = 0
    #: When the first frame is shown, and the last one; the clock may begin again in between.
    start_s: float = 0.0
    last_s: float = 0.0
    #: How long the last frame is shown; None where the container does not tell.
    last_duration_s: float | None = None
    #: How long a picture is shown, the median; None when there are not two.
    frame_s: float | None = None
    #: Whether decoding begins with a frame that needs no other, and its times only ever rise.
    starts_with_key: bool = False
    rises: bool = True
    #: The pictures that can be decoded alone, in their order; of sound none are kept.
    keys: tuple[Frame, ...] = ()
    #: From the first header in the segment; None when it has none.
    video: VideoFormat | None = None
    audio: AudioFormat | None = None

    @property
    def codec(self) -> str | None:
        """RFC 6381 string; None when the segment does not tell."""
        described = self.video or self.audio
        return None if described is None else described.codec

    @classmethod
    def of_pictures(cls, frames: Sequence[Frame], video: VideoFormat | None) -> Self:
        """Describe a run of pictures, given in the order of decoding."""
        times = sorted(frame.pts_s for frame in frames)
        gaps = [after - before for before, after in pairwise(times)]
        return cls(
            kind=Kind.VIDEO,
            frame_s=statistics.median(gaps) if gaps else None,
            keys=tuple(frame for frame in frames if frame.key),
            video=video,
            **_extent(frames),
        )

    @classmethod
    def of_sound(cls, frames: Sequence[Frame], audio: AudioFormat | None) -> Self:
        """Describe a run of sound."""
        return cls(kind=Kind.AUDIO, audio=audio, **_extent(frames))


class _Extent(TypedDict):
    count: int
    start_s: float
    last_s: float
    last_duration_s: float | None
    starts_with_key: bool
    rises: bool


def _extent(frames: Sequence[Frame]) -> _Extent:
    last = max(frames, key=lambda frame: frame.pts_s)
    return _Extent(
        count=len(frames),
        start_s=min(frame.pts_s for frame in frames),
        last_s=last.pts_s,
        last_duration_s=last.duration_s,
        starts_with_key=frames[0].key,
        rises=all(before.dts_s < after.dts_s for before, after in pairwise(frames)),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class SegmentFacts:
    """All that was found in one segment."""

    container: Container
    size_bytes: int
    tracks: tuple[Track, ...]
    #: What breaks the transport inside the segment, in words.
    faults: tuple[str, ...] = ()
    #: Where each movie fragment begins, and its first frame, in bytes; of fragmented MP4 only.
    fragments: tuple[tuple[int, int], ...] = ()
    #: Packet id → first and last continuity counter; of transport streams only.
    counters: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    #: Whether a player can begin here with nothing but this file and its EXT-X-MAP.
    self_contained: bool = True

    def of_kind(self, kind: Kind) -> tuple[Track, ...]:
        """Return the tracks of one kind."""
        return tuple(track for track in self.tracks if track.kind is kind)

    @property
    def main_track(self) -> Track | None:
        """The picture, else the sound; None when the segment has neither."""
        tracks = self.of_kind(Kind.VIDEO) or self.of_kind(Kind.AUDIO)
        return next((track for track in tracks if track.count), None)
