"""What one encode makes of a source: rungs, sound renditions, subtitles, and their names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from vworker.media.encoding import Encoding, SegmentType
from vworker.media.hls import target_duration
from vworker.media.ladder import Rung, choose_rungs
from vworker.media.languages import language_tag
from vworker.media.source import AudioStream, SourceInfo, SubtitleStream
from vworker.media.track_names import name_tracks

SOURCE_NAME = "source.bin"
OUTPUT_NAME = "hls"
#: Folder of the first sound rendition, and how the names of the others begin.
AUDIO_NAME = "audio"
SUBTITLES_NAME = "subtitles"
#: Folder of the rendition for scrubbing.
SCRUB_NAME = "scrub"
PLAYLIST_NAME = "index.m3u8"
#: How the names of initialization sections begin.
INIT_STEM = "init"
#: The colour cube, when the source needs one, relative to the scratch folder; not published.
CUBE_PATH = f"{OUTPUT_NAME}/tone.cube"
#: More tracks than this are left out: each sound costs an encoder.
MAX_SOUNDS = 8
MAX_SUBTITLES = 16
#: A stream that starts later than this is filled up, so that all renditions begin at 0.
LATE_S = 0.05
_MAX_FRAME_RATE = Fraction(60)
#: Slower sources repeat their pictures: a keyframe every few seconds needs a frame there.
_MIN_FRAME_RATE = Fraction(1)
_DEFAULT_FRAME_RATE = Fraction(30)
_EXTENSIONS = {SegmentType.TS: "ts", SegmentType.FMP4: "m4s"}


def segment_name(number: int, segments: SegmentType = SegmentType.TS) -> str:
    """Return the file name of a segment of pictures or sound; they count from 0."""
    return segment_pattern(segments) % number


def init_name(rendition: str, stem: str = INIT_STEM) -> str:
    """Return the name of a rendition's initialization section; transport streams have none."""
    return f"{stem}_{rendition}.mp4"


def find_init(folder: Path) -> Path | None:
    """Return a rendition's initialization section; None while there is none, and for TS.

    It is there, whole, when the first segment is.
    """
    path = folder / init_name(folder.name)
    return path if path.exists() else None


def segment_pattern(segments: SegmentType) -> str:
    """Return the segments' name with a printf placeholder for the number, for FFmpeg."""
    return f"seg_%05d.{_EXTENSIONS[segments]}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Track:
    """A rendition besides the pictures, as players list it."""

    #: The folder's name.
    folder: str
    #: For people; unique among the tracks of its kind, free of quotes and control characters.
    name: str
    #: BCP 47 tag (RFC 5646); None when the source tells none.
    language: str | None
    #: Whether players choose it by themselves; true for one sound, and for no subtitles.
    default: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Sound(Track):
    """A sound rendition: AAC, stereo, 48 kHz."""

    stream: AudioStream


@dataclass(frozen=True, kw_only=True, slots=True)
class Subtitles(Track):
    """A WebVTT rendition."""

    stream: SubtitleStream
    forced: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class EncodePlan:
    """One encode: what goes in, what shall come out."""

    #: The attempt's folder, in which FFmpeg runs: it sees relative names of ours and nothing else.
    scratch: Path
    info: SourceInfo
    rungs: tuple[Rung, ...]
    encoding: Encoding = field(default_factory=Encoding)

    @property
    def output(self) -> Path:
        """Folder with a folder per rendition; both must exist when FFmpeg starts."""
        return self.scratch / OUTPUT_NAME

    @property
    def names(self) -> tuple[str, ...]:
        """Names of what FFmpeg cuts into segments: the rungs, the sounds, what is for scrubbing."""
        rungs = (rung.name for rung in self.rungs)
        return (*rungs, *(sound.folder for sound in self.sounds), SCRUB_NAME)

    @property
    def segment_types(self) -> Mapping[str, SegmentType]:
        """What each of `names` is cut into."""
        return dict.fromkeys(self.names, self.encoding.segments) | {SCRUB_NAME: SegmentType.TS}

    @property
    def frame_rate(self) -> Fraction:
        """Frames per second of every rung: the source's, fields counted, from 1 to 60."""
        rate = self.info.video.frame_rate or _DEFAULT_FRAME_RATE
        if self.info.video.interlaced:
            rate *= 2
        return max(_MIN_FRAME_RATE, min(rate, _MAX_FRAME_RATE))

    @property
    def duration_s(self) -> float | None:
        """Seconds that every rendition shall last: to the end of the source's pictures."""
        video = self.info.video
        return None if video.duration_s is None else video.start_s + video.duration_s

    @property
    def announced_end_s(self) -> float | None:
        """Seconds at which the pictures will probably end; None when nothing tells."""
        return self.duration_s or self.info.container_duration_s

    @property
    def target_duration_s(self) -> int:
        """Seconds, rounded, that no segment is longer than: they end with the picture at hand.

        It can be told before there are any, as a playlist must that grows (RFC 8216bis 4.4.3.1).
        """
        return target_duration([float(self.encoding.segment_s + 1 / self.frame_rate)])

    @property
    def clock_s(self) -> float:
        """Seconds that the clock of every rendition is put on by.

        x264 begins up to two pictures below 0, AAC 21 ms. FFmpeg would put on the clock of each
        process by what its streams need, and those of pictures and sounds would differ.
        """
        return float(3 / self.frame_rate)

    @property
    def sounds(self) -> tuple[Sound, ...]:
        """The sound renditions in the file's order; one of them is the default."""
        streams = self.info.sounds[:MAX_SOUNDS]
        chosen = next((stream for stream in streams if stream.default), None)
        names = name_tracks(streams, "Audio")
        return tuple(
            Sound(
                folder=_folder(AUDIO_NAME, number),
                name=name,
                language=language_tag(stream.language),
                default=stream is (chosen or streams[0]),
                stream=stream,
            )
            for number, (stream, name) in enumerate(zip(streams, names, strict=True), start=1)
        )

    @property
    def subtitles(self) -> tuple[Subtitles, ...]:
        """The WebVTT renditions in the file's order."""
        streams = self.info.subtitles[:MAX_SUBTITLES]
        names = name_tracks(streams, "Subtitles")
        return tuple(
            Subtitles(
                folder=_folder(SUBTITLES_NAME, number),
                name=name,
                language=language_tag(stream.language),
                default=False,
                forced=stream.forced,
                stream=stream,
            )
            for number, (stream, name) in enumerate(zip(streams, names, strict=True), start=1)
        )


def make_plan(scratch: Path, info: SourceInfo, encoding: Encoding) -> EncodePlan:
    """Plan the encode of a source that lies in `scratch`; pure."""
    rungs = choose_rungs(info.video.width, info.video.height, encoding.ladder)
    return EncodePlan(scratch=scratch, info=info, rungs=rungs, encoding=encoding)


def _folder(kind: str, number: int) -> str:
    return kind if number == 1 else f"{kind}-{number}"
