"""Asking ffprobe what is in a source file.

ffprobe parses the same hostile bytes as FFmpeg and is run under the same rules.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from vworker.errors import ErrorCode, TranscodeError
from vworker.media.probe_answer import read_probe
from vworker.media.process import Exit, run_child
from vworker.media.settings import MediaSettings
from vworker.media.source import SourceInfo

#: What FFmpeg may take a file for. Playlists (hls, dash, concat) are left out on purpose: they
#: make it read other files, also with `-protocol_whitelist file` alone.
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,asf,ogg,mxf,gif,h264,hevc"
#: 8192 x 4352: 8K with some room; larger frames are a way to take all memory with a small file.
MAX_PIXELS = 35_651_584
MAX_STREAMS = 64
_MAX_ANSWER_BYTES = 4 * 1024 * 1024


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
