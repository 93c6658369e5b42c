"""Asking ffprobe what is in a source file.

ffprobe parses the same hostile bytes as FFmpeg and is run under the same rules.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path

from vworker.errors import ErrorCode, TranscodeError
from vworker.media.diagnosis import diagnose_probe, doubted, left_out_streams, met_limit
from vworker.media.limits import SourceLimits
from vworker.media.probe_answer import read_probe
from vworker.media.process import Exit, run_child
from vworker.media.settings import MediaSettings
from vworker.media.source import SourceInfo
from vworker.sandbox import Access

logger = logging.getLogger(__name__)

#: What FFmpeg may take a file for. Playlists (hls, dash, concat) are left out on purpose: they
#: make it read other files, also with `-protocol_whitelist file` alone.
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,asf,ogg,mxf,gif,h264,hevc"
_MAX_ANSWER_BYTES = 4 * 1024 * 1024


def input_limits(limits: SourceLimits) -> list[str]:
    """Return the options that stand before every input of ffprobe and FFmpeg."""
    return [
        # Nothing but local files, whatever the input asks for.
        *("-protocol_whitelist", "file"),
        # Media containers only; see FORMATS.
        *("-format_whitelist", FORMATS),
        # Bounds of memory against small files that declare huge frames or thousands of streams.
        *("-max_pixels", str(limits.max_pixels)),
        *("-max_streams", str(limits.max_streams)),
    ]


async def probe(path: Path, settings: MediaSettings) -> SourceInfo:
    """Ask ffprobe what is in a file of ours. Safe to repeat.

    Raises `TranscodeError`: not_a_video, unsupported_format, no_video_stream, source_truncated,
    source_over_limit (final); probe_failed, stalled, and what `diagnose` finds.
    """
    answer = bytearray()

    def collect(data: bytes) -> None:
        answer.extend(data)
        if len(answer) > _MAX_ANSWER_BYTES:
            raise TranscodeError(
                ErrorCode.SOURCE_OVER_LIMIT,
                f"The file's description is longer than {_MAX_ANSWER_BYTES >> 20} MiB.",
            )

    argv = [
        settings.ffprobe,
        *("-hide_banner", "-loglevel", "error"),
        *input_limits(settings.source_limits),
        *("-show_format", "-show_streams", "-of", "json"),
        # The file: prefix keeps a colon or a dash in a name from meaning something.
        f"file:{path.name}",
    ]
    try:
        ended = await run_child(
            argv,
            access=Access(folder=path.parent, reads=(path.name,)),
            timeout_s=settings.probe_timeout_s,
            on_output=collect,
            settings=settings,
        )
    except TimeoutError:
        raise TranscodeError(
            ErrorCode.STALLED,
            f"Reading the video's header took more than {settings.probe_timeout_s:g} seconds.",
        ) from None
    if ended.code != 0:
        raise diagnose_probe(ended)
    try:
        decoded = json.loads(answer)
    except ValueError as error:
        raise TranscodeError(
            ErrorCode.PROBE_FAILED,
            "What the file is could not be found out: ffprobe's answer cannot be read.",
            detail=ended.last_lines,
        ) from error
    try:
        info = read_probe(decoded, settings.decodes)
    except TranscodeError as error:
        if not met_limit(ended.last_lines):
            raise doubted(error, ended.last_lines) from error
        raise _over_limit(ended, settings) from error
    if left_out_streams(ended.last_lines):
        # Matroska's reader loses its place where it stops, and finds a broken file behind.
        raise _over_limit(ended, settings)
    settings.source_limits.check(info)
    if info.unknown_sounds:
        logger.warning(
            "sounds that this FFmpeg cannot decode are left out: %s",
            ", ".join(info.unknown_sounds),
            extra={"action": "skip_sounds"},
        )
    return info


def _over_limit(ended: Exit, settings: MediaSettings) -> TranscodeError:
    limits = settings.source_limits
    return TranscodeError(
        ErrorCode.SOURCE_OVER_LIMIT,
        f"The video has pictures of more than {limits.max_pixels} pixels, or more than "
        f"{limits.max_streams} streams.",
        detail=ended.last_lines,
    )
