"""What is in a source file: ffprobe's JSON, read into a `SourceInfo`.

ffprobe parses the same hostile bytes as FFmpeg and is run under the same rules. Its answer is
data from outside: a value of an unexpected type counts as absent.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from vworker.errors import ErrorCode, TranscodeError
from vworker.media.process import Exit, run_child
from vworker.media.settings import MediaSettings

#: What FFmpeg may take a file for. Playlists (hls, dash, concat) are left out on purpose: they
#: make it read other files, also with `-protocol_whitelist file` alone.
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,asf,ogg,mxf,gif,h264,hevc"
#: 8192 x 4352: 8K with some room; larger frames are a way to take all memory with a small file.
MAX_PIXELS = 35_651_584
MAX_STREAMS = 64
#: Words for what a file without a moving picture holds.
_KINDS = {"audio": "sound", "video": "a still picture", "subtitle": "subtitles"}
_MAX_ANSWER_BYTES = 4 * 1024 * 1024


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


@dataclass(frozen=True, kw_only=True, slots=True)
class AudioStream:
    """The sound that is transcoded: the first track."""

    index: int
    codec: str
    #: ISO 639 code; None when the file names none.
    language: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceInfo:
    """Everything that the plan of an encode depends on."""

    container: str
    #: Of the longest stream, in seconds; good for a progress bar, not for a check.
    container_duration_s: float | None
    video: VideoStream
    audio: AudioStream | None


def input_limits() -> list[str]:
    """Return the options that stand before every input of ffprobe and FFmpeg."""
    return [
        # Nothing but local files, whatever the input asks for.
        *("-protocol_whitelist", "file"),
        # Media containers only; see FORMATS.
        *("-format_whitelist", FORMATS),
        # Bounds of memory against small files that declare huge frames or thousands of streams.
        *("-max_pixels", str(MAX_PIXELS)),
        *("-max_streams", str(MAX_STREAMS)),
    ]


async def probe(path: Path, settings: MediaSettings) -> SourceInfo:
    """Ask ffprobe what is in a file of ours. Safe to repeat.

    Raises `TranscodeError`: not_a_video, no_video_stream, source_truncated (final); stalled,
    encoder_killed, encoder_unavailable.
    """
    answer = bytearray()

    def collect(data: bytes) -> None:
        answer.extend(data)
        if len(answer) > _MAX_ANSWER_BYTES:
            raise TranscodeError(
                ErrorCode.NOT_A_VIDEO, "The file describes more than a video can hold."
            )

    argv = [
        settings.ffprobe,
        *("-hide_banner", "-loglevel", "error"),
        *input_limits(),
        *("-show_format", "-show_streams", "-of", "json"),
        # The file: prefix keeps a colon or a dash in a name from meaning something.
        f"file:{path.name}",
    ]
    try:
        async with asyncio.timeout(settings.probe_timeout_s):
            ended = await run_child(
                argv, cwd=path.parent, on_output=collect, grace_s=settings.stop_grace_s
            )
    except TimeoutError:
        raise TranscodeError(
            ErrorCode.STALLED,
            f"Reading the video's header took more than {settings.probe_timeout_s:g} seconds.",
        ) from None
    if ended.code != 0:
        raise _unreadable(ended)
    try:
        decoded = json.loads(answer)
    except ValueError as error:
        raise TranscodeError(
            ErrorCode.NOT_A_VIDEO,
            "The file's description cannot be read.",
            detail=ended.last_lines,
        ) from error
    return read_probe(decoded)


def _unreadable(ended: Exit) -> TranscodeError:
    if ended.code < 0:
        return TranscodeError(
            ErrorCode.ENCODER_KILLED,
            f"Reading the video was ended from outside (signal {-ended.code}).",
            detail=ended.last_lines,
        )
    if any("moov atom not found" in line for line in ended.last_lines):
        return TranscodeError(
            ErrorCode.SOURCE_TRUNCATED,
            "The video file is incomplete: its index is missing, as after an upload or a recording "
            "that broke off.",
            detail=ended.last_lines,
        )
    return TranscodeError(
        ErrorCode.NOT_A_VIDEO,
        "The file is not a video in a supported format, or its beginning is damaged.",
        detail=ended.last_lines,
    )


def read_probe(answer: object) -> SourceInfo:
    """Turn ffprobe's decoded JSON into a `SourceInfo`; pure.

    Raises `TranscodeError` (no_video_stream) when there is no moving picture.
    """
    described = _mapping(answer)
    container = _mapping(described.get("format"))
    streams = [_mapping(stream) for stream in _items(described.get("streams"))]
    videos = [stream for stream in streams if _is_moving_picture(stream)]
    if not videos:
        found = sorted({_KINDS.get(str(stream.get("codec_type")), "data") for stream in streams})
        raise TranscodeError(
            ErrorCode.NO_VIDEO_STREAM,
            f"The file holds no video, only {' and '.join(found) or 'an empty container'}.",
        )
    largest = max(videos, key=lambda stream: _integer(stream, "width") * _integer(stream, "height"))
    sounds = (s for s in streams if s.get("codec_type") == "audio" and _integer(s, "channels") > 0)
    sound = next(sounds, None)
    return SourceInfo(
        container=_text(container, "format_name") or "unknown",
        container_duration_s=_seconds(container.get("duration")),
        video=_video(largest),
        audio=None if sound is None else _audio(sound),
    )


def _is_moving_picture(stream: Mapping[str, Any]) -> bool:
    disposition = _mapping(stream.get("disposition"))
    return (
        stream.get("codec_type") == "video"
        and not _integer(disposition, "attached_pic")
        and _integer(stream, "width") > 0
        and _integer(stream, "height") > 0
    )


def _video(stream: Mapping[str, Any]) -> VideoStream:
    aspect = _fraction(stream.get("sample_aspect_ratio"), ":") or Fraction(1)
    width = max(1, round(_integer(stream, "width") * aspect))
    height = _integer(stream, "height")
    if _is_turned(stream):
        width, height = height, width
    return VideoStream(
        index=_integer(stream, "index"),
        codec=_text(stream, "codec_name") or "unknown",
        width=width,
        height=height,
        frame_rate=_frame_rate(stream),
        duration_s=_stream_duration(stream),
    )


def _audio(stream: Mapping[str, Any]) -> AudioStream:
    language = _text(_mapping(stream.get("tags")), "language") or "und"
    return AudioStream(
        index=_integer(stream, "index"),
        codec=_text(stream, "codec_name") or "unknown",
        # The tag is text from the file, and goes into a playlist: only a code gets through.
        language=language if re.fullmatch("[a-z]{2,3}", language) and language != "und" else None,
    )


def _is_turned(stream: Mapping[str, Any]) -> bool:
    """Whether players show the picture turned by 90 or 270 degrees (phones record that way)."""
    for side_data in _items(stream.get("side_data_list")):
        rotation = _number(_mapping(side_data).get("rotation"))
        if rotation is not None:
            return round(rotation) % 180 == 90
    return False


def _frame_rate(stream: Mapping[str, Any]) -> Fraction | None:
    """Prefer the exact base rate (30000/1001) to the mean, which gaps of a VFR source lower.

    From twice the mean on it is a field rate, or the clock of a file without any rate.
    """
    base = _fraction(stream.get("r_frame_rate"), "/")
    mean = _fraction(stream.get("avg_frame_rate"), "/")
    if base is not None and mean is not None:
        return base if base < 2 * mean else mean
    return base or mean


def _stream_duration(stream: Mapping[str, Any]) -> float | None:
    """Return the stream's duration; Matroska has it in a tag (HH:MM:SS.fraction)."""
    seconds = _seconds(stream.get("duration"))
    if seconds is not None:
        return seconds
    clock = _text(_mapping(stream.get("tags")), "DURATION") or ""
    found = re.fullmatch(r"(\d{1,4}):(\d\d):(\d\d(?:\.\d{1,9})?)", clock)
    if found is None:
        return None
    hours, minutes, rest = found.groups()
    return _seconds(int(hours) * 3600 + int(minutes) * 60 + float(rest))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _items(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else ()


def _text(values: Mapping[str, Any], name: str) -> str | None:
    value = values.get(name)
    return value if isinstance(value, str) and value else None


def _integer(values: Mapping[str, Any], name: str) -> int:
    value = values.get(name)
    return value if isinstance(value, int) and 0 <= value < 2**31 else 0


def _number(value: object) -> float | None:
    if not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _seconds(value: object) -> float | None:
    number = _number(value)
    return number if number is not None and number > 0 else None


def _fraction(value: object, separator: str) -> Fraction | None:
    if not isinstance(value, str):
        return None
    found = re.fullmatch(rf"(\d{{1,10}}){separator}(\d{{1,10}})", value)
    if found is None or int(found[1]) == 0 or int(found[2]) == 0:
        return None
    return Fraction(int(found[1]), int(found[2]))
