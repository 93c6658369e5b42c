"""What is in a source file, as far as the plan of an encode depends on it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from fractions import Fraction


class Transfer(Enum):
    """How code values stand for light."""

    #: Standard dynamic range, whatever its curve is called.
    SDR = "sdr"
    #: SMPTE ST 2084: HDR10, HDR10+, Dolby Vision with such a base layer.
    PQ = "pq"
    #: ARIB STD-B67: broadcast HDR, and phones.
    HLG = "hlg"


@dataclass(frozen=True, kw_only=True, slots=True)
class Colour:
    """What a picture's code values mean; the names are FFmpeg's own."""

    transfer: Transfer = Transfer.SDR
    #: "bt2020", "smpte432" (P3) …; None when the file does not tell.
    primaries: str | None = None
    #: Matrix between RGB and YCbCr, e.g. "bt470bg"; None when the file does not tell.
    matrix: str | None = None
    #: Whether the pixels are stored as RGB, so that no matrix leads to it.
    is_rgb: bool = False
    #: Brightest light of an HDR picture in cd/m², if the file tells.
    peak_nits: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoStream:
    """The picture that is transcoded: the largest one that is no attached cover image."""

    index: int
    codec: str
    #: Pixels as shown: rotated by the file's metadata, with square pixels.
    width: int
    height: int
    #: Frames per second; None when the file does not tell.
    frame_rate: Fraction | None
    #: The stream's own duration in seconds (the container's may be longer); None when unknown.
    duration_s: float | None
    #: Seconds from the file's beginning to the first picture.
    start_s: float = 0.0
    #: Two fields a frame, to be shown one after the other.
    interlaced: bool = False
    #: Whether pixels can be transparent.
    alpha: bool = False
    colour: Colour = Colour()


@dataclass(frozen=True, kw_only=True, slots=True)
class AudioStream:
    """One sound track."""

    index: int
    codec: str
    #: ISO 639 code as the file has it; None when it names none.
    language: str | None
    #: As the file has it, any text; None when it names none.
    title: str | None = None
    #: Whether players are meant to choose it.
    default: bool = False
    #: Seconds from the file's beginning to the first sound.
    start_s: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class SubtitleStream:
    """One track of subtitles that are text."""

    index: int
    codec: str
    #: ISO 639 code as the file has it; None when it names none.
    language: str | None
    #: As the file has it, any text; None when it names none.
    title: str | None = None
    default: bool = False
    #: Only what a viewer of this language cannot understand.
    forced: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceInfo:
    """Everything that the plan of an encode depends on."""

    container: str
    #: Of the longest stream, in seconds; good for a progress bar, not for a check.
    container_duration_s: float | None
    video: VideoStream
    #: Sound tracks that can be decoded, in the file's order.
    sounds: tuple[AudioStream, ...] = ()
    #: Codecs of sound tracks that the FFmpeg at hand cannot decode.
    unknown_sounds: tuple[str, ...] = ()
    subtitles: tuple[SubtitleStream, ...] = ()
    #: Codecs of subtitle tracks that are pictures, and so cannot become WebVTT.
    bitmap_subtitles: tuple[str, ...] = ()

    @property
    def audio(self) -> AudioStream | None:
        """The first sound track."""
        return self.sounds[0] if self.sounds else None
