"""How long a source is of which only its packets tell.

Matroska of some writers, FLV, live recordings and elementary streams do not say how long their
pictures last. Their packets are then read once, before the encode and without decoding: so a file
is found to be cut off, or far too long, before it costs anything, and progress is known.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

from vworker.errors import ErrorCode, TranscodeError
from vworker.media.diagnosis import diagnose, doubted
from vworker.media.json_values import number
from vworker.media.probe import input_limits
from vworker.media.process import run_child
from vworker.media.settings import MediaSettings
from vworker.media.source import SourceInfo
from vworker.media.truncation import check_length
from vworker.sandbox import Access

_MAX_LINE_BYTES = 256
#: From here on FFmpeg takes a time for a fault (its -dts_error_threshold), and fills no gap.
_JUMP_S = 30 * 3600.0


@dataclass(kw_only=True, slots=True)
class Extent:
    """From where to where the packets of one stream reach, in seconds on the file's clock."""

    #: Of the first packet that can be decoded alone; None while there is none with a time.
    begin_s: float | None = None
    #: The end of the last packet; None while there is none with a time.
    end_s: float | None = None
    #: All packets' durations together.
    sum_s: float = 0.0
    #: Whether the clock has jumped further than a video lasts: then its times tell nothing.
    jumped: bool = False

    def add(self, pts_s: float | None, duration_s: float, *, is_key: bool) -> None:
        """Count a packet."""
        self.sum_s += duration_s
        if pts_s is None or self.jumped:
            return
        if self.end_s is not None and abs(pts_s - self.end_s) > _JUMP_S:
            self.jumped, self.begin_s, self.end_s = True, None, None
            return
        if is_key and self.begin_s is None:
            self.begin_s = pts_s
        if self.end_s is None or self.end_s < pts_s + duration_s:
            self.end_s = pts_s + duration_s


class PacketParser:
    """Reads the lines `stream,pts,duration,flags` of ffprobe; damaged ones are passed over."""

    def __init__(self) -> None:
        #: Stream index → its extent; a stream without packets has an empty one.
        self.streams: defaultdict[str, Extent] = defaultdict(Extent)
        self._open = b""

    def feed(self, data: bytes) -> None:
        """Take the next bytes, cut anywhere."""
        *lines, self._open = (self._open + data).split(b"\n")
        self._open = self._open[:_MAX_LINE_BYTES]
        for line in lines:
            fields = line.decode(errors="replace").split(",")
            if len(fields) >= 4:
                stream, pts, duration, flags = fields[:4]
                self.streams[stream].add(
                    number(pts), max(number(duration) or 0.0, 0.0), is_key="K" in flags
                )


async def measure_length(path: Path, info: SourceInfo, settings: MediaSettings) -> SourceInfo:
    """Return `info` with the duration of the pictures, which is measured if it does not tell any.

    Where packets have no times, what their durations sum up to is taken for the container's
    duration, which is good for limits and progress, and not for a check. Safe to repeat.

    Raises `TranscodeError`: source_truncated, when no stream reaches the end that the container
    announces; source_over_limit, time_limit, and what `diagnose` finds.
    """
    if info.video.duration_s is not None:
        return info
    streams, last_lines = await _read_packets(path, settings)
    ends = [extent.end_s for extent in streams.values() if extent.end_s is not None]
    is_known = bool(ends) and not any(extent.jumped for extent in streams.values())
    if info.container_duration_s is not None and is_known:
        try:
            check_length(announced_s=info.container_duration_s, found_s=max(ends))
        except TranscodeError as error:
            raise doubted(error, last_lines) from error
    pictures = streams[str(info.video.index)]
    if pictures.begin_s is None or pictures.end_s is None or pictures.end_s <= pictures.begin_s:
        counted_s = info.container_duration_s or pictures.sum_s or None
        measured = replace(info, container_duration_s=counted_s)
    else:
        duration_s = pictures.end_s - pictures.begin_s
        measured = replace(info, video=replace(info.video, duration_s=duration_s))
    settings.source_limits.check(measured)
    return measured


async def _read_packets(
    path: Path, settings: MediaSettings
) -> tuple[defaultdict[str, Extent], tuple[str, ...]]:
    """Return what the streams hold, and ffprobe's last lines."""
    parser = PacketParser()
    limit_s = settings.source_limits.time_base_s
    argv = [
        settings.ffprobe,
        *("-hide_banner", "-loglevel", "error"),
        *input_limits(settings.source_limits),
        # A line for each packet.
        *("-show_entries", "packet=stream_index,pts_time,duration_time,flags", "-of", "csv=p=0"),
        f"file:{path.name}",
    ]
    try:
        ended = await run_child(
            argv,
            access=Access(folder=path.parent, reads=(path.name,)),
            timeout_s=limit_s,
            on_output=parser.feed,
            settings=settings,
        )
    except TimeoutError:
        raise TranscodeError(
            ErrorCode.TIME_LIMIT,
            f"Finding out how long the video is took more than {limit_s:g} seconds.",
        ) from None
    if ended.code != 0:
        raise diagnose(
            ended,
            otherwise=ErrorCode.ENCODE_FAILED,
            message="The video could not be read to its end, to find out how long it is.",
        )
    return parser.streams, ended.last_lines
