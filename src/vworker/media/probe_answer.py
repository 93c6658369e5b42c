"""ffprobe's answer, read into a `SourceInfo`. Pure.

The answer is data from outside: a value of an unexpected type counts as absent.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

from vworker.errors import ErrorCode, TranscodeError
from vworker.media.json_values import fraction, integer, items, mapping, number, seconds, text
from vworker.media.source import (
    AudioStream,
    Colour,
    SourceInfo,
    SubtitleStream,
    Transfer,
    VideoStream,
)

#: Words for what a file without a moving picture holds.
_KINDS = {"audio": "sound", "video": "a still picture", "subtitle": "subtitles"}
_TRANSFERS = {"smpte2084": Transfer.PQ, "arib-std-b67": Transfer.HLG}
#: Subtitle codecs that FFmpeg decodes to text; the others are pictures, or not decoded at all.
_TEXT_SUBTITLES = {"ass", "mov_text", "ssa", "srt", "subrip", "text", "webvtt"}
#: Orders of two fields a frame: tt and bb as coded, tb and bt swapped for display.
_INTERLACED = {"tt", "bb", "tb", "bt"}
_ALPHA = re.compile(r"yuva|rgba|bgra|argb|abgr|gbrap|ya\d|yaf|ayuv|vuya|uyva|pal8")
_RGB = re.compile(r".*(rgb|bgr|pal8)|gbr|argb|abgr|bayer")
#: RFC 5646: language, then script and region where the file tells them.
_LANGUAGE = re.compile(
    r"([a-z]{2,3}(?:-[A-Z][a-z]{3})?(?:-(?:[A-Z]{2}|[0-9]{3}))?)(?:-[A-Za-z0-9-]{1,40})?"
)
#: Wider or narrower pixels than this are a lie, or no video.
_WIDEST_PIXEL = 8
#: cd/m²: the range in which a statement about the brightest light makes sense.
_PEAK_NITS = (200.0, 10_000.0)


def read_probe(answer: object, decodes: Collection[str] | None = None) -> SourceInfo:
    """Turn ffprobe's decoded JSON into a `SourceInfo`.

    Sounds of codecs that are not in `decodes` are left out; None is for all. Pictures are not: they
    are what the video is about, and FFmpeg says that it cannot decode them.

    Raises `TranscodeError` (no_video_stream) when there is no moving picture.
    """
    described = mapping(answer)
    container = mapping(described.get("format"))
    streams = [mapping(stream) for stream in items(described.get("streams"))]
    videos = [stream for stream in streams if _is_moving_picture(stream)]
    if not videos:
        found = sorted({_KINDS.get(str(stream.get("codec_type")), "data") for stream in streams})
        raise TranscodeError(
            ErrorCode.NO_VIDEO_STREAM,
            f"The file holds no video, only {' and '.join(found) or 'an empty container'}.",
        )
    largest = max(videos, key=lambda stream: integer(stream, "width") * integer(stream, "height"))
    begin_s = number(container.get("start_time")) or 0.0
    subtitles = [stream for stream in streams if stream.get("codec_type") == "subtitle"]
    sounds = list(_sounds(streams, begin_s))
    return SourceInfo(
        container=text(container, "format_name") or "unknown",
        container_duration_s=seconds(container.get("duration")),
        video=_video(largest, begin_s),
        sounds=tuple(s for s in sounds if decodes is None or s.codec in decodes),
        unknown_sounds=tuple(
            s.codec for s in sounds if decodes is not None and s.codec not in decodes
        ),
        subtitles=tuple(_subtitle(s) for s in subtitles if _codec(s) in _TEXT_SUBTITLES),
        bitmap_subtitles=tuple(_codec(s) for s in subtitles if _codec(s) not in _TEXT_SUBTITLES),
    )


def _is_moving_picture(stream: Mapping[str, Any]) -> bool:
    return (
        stream.get("codec_type") == "video"
        and not _has(stream, "attached_pic")
        and integer(stream, "width") > 0
        and integer(stream, "height") > 0
    )


def _video(stream: Mapping[str, Any], begin_s: float) -> VideoStream:
    width = max(1, round(integer(stream, "width") * _pixel_aspect(stream)))
    height = integer(stream, "height")
    start_s = _start(stream, begin_s)
    if _is_turned(stream):
        width, height = height, width
    return VideoStream(
        index=integer(stream, "index"),
        codec=_codec(stream),
        width=width,
        height=height,
        frame_rate=_frame_rate(stream),
        duration_s=_stream_duration(stream, start_s),
        start_s=start_s,
        interlaced=stream.get("field_order") in _INTERLACED,
        alpha=_ALPHA.match(text(stream, "pix_fmt") or "") is not None,
        colour=_colour(stream),
    )


def _sounds(streams: Sequence[Mapping[str, Any]], begin_s: float) -> Iterator[AudioStream]:
    for stream in streams:
        if stream.get("codec_type") == "audio" and integer(stream, "channels") > 0:
            yield AudioStream(
                index=integer(stream, "index"),
                codec=_codec(stream),
                language=_language(stream),
                title=_title(stream),
                default=_has(stream, "default"),
                start_s=_start(stream, begin_s),
            )


def _subtitle(stream: Mapping[str, Any]) -> SubtitleStream:
    return SubtitleStream(
        index=integer(stream, "index"),
        codec=_codec(stream),
        language=_language(stream),
        title=_title(stream),
        default=_has(stream, "default"),
        forced=_has(stream, "forced"),
    )


def _codec(stream: Mapping[str, Any]) -> str:
    return text(stream, "codec_name") or "unknown"


def _has(stream: Mapping[str, Any], disposition: str) -> bool:
    return integer(mapping(stream.get("disposition")), disposition) > 0


def _language(stream: Mapping[str, Any]) -> str | None:
    """Return the track's code: the tag is text from the file, and only a code gets through.

    ISO 639, or BCP 47 with a script and a region, e.g. "zh-Hant-TW"; other subtags are dropped.
    """
    language = text(mapping(stream.get("tags")), "language") or "und"
    found = _LANGUAGE.fullmatch(language)
    return None if found is None or found[1].startswith("und") else found[1]


def _title(stream: Mapping[str, Any]) -> str | None:
    return text(mapping(stream.get("tags")), "title")


def _start(stream: Mapping[str, Any], begin_s: float) -> float:
    """Return seconds from the file's beginning; FFmpeg moves that to 0."""
    return max(0.0, (number(stream.get("start_time")) or begin_s) - begin_s)


def _pixel_aspect(stream: Mapping[str, Any]) -> Fraction:
    aspect = fraction(stream.get("sample_aspect_ratio"), ":") or Fraction(1)
    return aspect if Fraction(1, _WIDEST_PIXEL) <= aspect <= _WIDEST_PIXEL else Fraction(1)


def _is_turned(stream: Mapping[str, Any]) -> bool:
    """Whether players show the picture turned by 90 or 270 degrees (phones record that way)."""
    for side_data in items(stream.get("side_data_list")):
        rotation = number(mapping(side_data).get("rotation"))
        if rotation is not None:
            return round(rotation) % 180 == 90
    return False


def _colour(stream: Mapping[str, Any]) -> Colour:
    return Colour(
        transfer=_TRANSFERS.get(str(stream.get("color_transfer")), Transfer.SDR),
        primaries=_known(stream, "color_primaries"),
        matrix=_known(stream, "color_space"),
        is_rgb=_RGB.match(text(stream, "pix_fmt") or "") is not None,
        peak_nits=_peak(stream),
    )


def _known(stream: Mapping[str, Any], name: str) -> str | None:
    value = text(stream, name)
    return None if value in {None, "unknown", "reserved"} else value


def _peak(stream: Mapping[str, Any]) -> float | None:
    """Return the brightest light: of the content where it is told, else of its grading display."""
    told = [mapping(side_data) for side_data in items(stream.get("side_data_list"))]
    brightest = _fractions(told, "max_luminance")
    for peak in [*(number(side_data.get("max_content")) for side_data in told), *brightest]:
        if peak is not None and _PEAK_NITS[0] <= peak <= _PEAK_NITS[1]:
            return peak
    return None


def _fractions(told: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    """Return all values of a name that ffprobe tells as fractions, e.g. "10000000/10000"."""
    read = (fraction(side_data.get(name), "/") for side_data in told)
    return [float(value) for value in read if value is not None]


def _frame_rate(stream: Mapping[str, Any]) -> Fraction | None:
    """Prefer the exact base rate (30000/1001) to the mean, which gaps of a VFR source lower.

    From twice the mean on it is a field rate, or the clock of a file without any rate.
    """
    base = fraction(stream.get("r_frame_rate"), "/")
    mean = fraction(stream.get("avg_frame_rate"), "/")
    if base is not None and mean is not None:
        return base if base < 2 * mean else mean
    return base or mean


def _stream_duration(stream: Mapping[str, Any], start_s: float) -> float | None:
    """Return the stream's duration; Matroska has it in a tag (HH:MM:SS.fraction).

    FFmpeg writes the end of the stream into that tag, mkvmerge its length: the shorter reading is
    the one that rejects no good file.
    """
    told = seconds(stream.get("duration"))
    if told is not None:
        return told
    clock = text(mapping(stream.get("tags")), "DURATION") or ""
    found = re.fullmatch(r"(\d{1,4}):(\d\d):(\d\d(?:\.\d{1,9})?)", clock)
    if found is None:
        return None
    hours, minutes, rest = found.groups()
    return seconds(int(hours) * 3600 + int(minutes) * 60 + float(rest) - start_s)
