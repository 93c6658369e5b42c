"""How a video is encoded: everything that a profile can choose, and nothing of the worker's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

#: x264's presets, fastest first.
PRESETS = (
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
)


#: Pixels of the short side up to which one variant is enough (the checker's apple-9.9).
LARGEST_ALONE = 432


class SegmentType(StrEnum):
    """The container of the published segments."""

    #: MPEG-2 transport stream: every player.
    TS = "ts"
    #: Fragmented MP4 (CMAF): less overhead, an initialization section beside the segments.
    FMP4 = "fmp4"


def _default_ladder() -> Mapping[int, int]:
    return {1080: 5_000_000, 720: 2_800_000, 480: 1_400_000, 360: 800_000}


@dataclass(frozen=True, kw_only=True, slots=True)
class Encoding:
    """One way to encode. Raises ValueError, naming the field, when a value cannot be used."""

    #: Short side in pixels, even → cap of the video's bitrate in bits per second.
    ladder: Mapping[int, int] = field(default_factory=_default_ladder)
    #: libx264's preset: veryfast scores VMAF 88 at 1080p; medium 91 for 2.3 times the CPU.
    preset: str = "veryfast"
    #: Constant rate factor, 1 to 51 (0 would be lossless); each rung's bitrate is capped besides.
    crf: int = 23
    #: Target length of a segment in seconds; a multiple of `keyframe_s`.
    segment_s: int = 6
    #: Distance of keyframes in seconds, alike in all rungs.
    keyframe_s: int = 2
    segments: SegmentType = SegmentType.TS
    #: Bits per second of each sound rendition.
    audio_bitrate: int = 128_000
    #: Loudness to bring every sound track to, in LUFS (EBU R 128); None leaves it as it is.
    loudness_lufs: float | None = None

    def __post_init__(self) -> None:
        """Check every field against its range."""
        if not self.ladder:
            raise ValueError("ladder must have a rung")
        for side, bitrate in self.ladder.items():
            _check_whole("ladder's short side", side, 16, 4320)
            _check_whole("ladder's bitrate", bitrate, 50_000, 200_000_000)
            if side % 2:
                raise ValueError(f"ladder's short side must be even, found {side}")
        if min(self.ladder) > LARGEST_ALONE:
            # A source between this rung and the next one gets this rung alone.
            raise ValueError(
                f"ladder's smallest short side must be at most {LARGEST_ALONE}, found "
                f"{min(self.ladder)}: larger videos must have several variants (apple-9.9)"
            )
        if self.preset not in PRESETS:
            raise ValueError(f"preset must be one of {', '.join(PRESETS)}, found {self.preset!r}")
        _check_whole("crf", self.crf, 1, 51)
        _check_whole("segment_s", self.segment_s, 1, 60)
        _check_whole("keyframe_s", self.keyframe_s, 1, 60)
        if self.segment_s % self.keyframe_s:
            raise ValueError(
                f"segment_s must be a multiple of keyframe_s, found {self.segment_s} and "
                f"{self.keyframe_s}"
            )
        _check_whole("audio_bitrate", self.audio_bitrate, 32_000, 512_000)
        if self.loudness_lufs is not None:
            _check("loudness_lufs", self.loudness_lufs, -70, -5)


def _check_whole(name: str, value: object, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{name} must be a whole number, found {value!r}")
    _check(name, value, low, high)


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name} must be {low} to {high}, found {value}")
