"""What FFmpeg has left on disk, read within bounds: it may have been taken over by its input."""

from __future__ import annotations

import os
from pathlib import Path

from vworker.errors import ErrorCode, TranscodeError
from vworker.media.fmp4 import read_fmp4, read_init
from vworker.media.segment import SegmentFacts
from vworker.media.ts import read_ts

_MIB = 1 << 20
#: A day in segments of a second takes 4 MiB, a minute at 30 Mbit/s 225 MiB.
PLAYLIST_BYTES, SEGMENT_BYTES = 8 * _MIB, 256 * _MIB


def read_output(path: Path, most_bytes: int = SEGMENT_BYTES) -> bytes:
    """Return the bytes of a file. Blocks.

    Raises `TranscodeError` (resource_limit) when there are more, OSError when it cannot be read.
    """
    with path.open("rb") as file:
        size_bytes = os.fstat(file.fileno()).st_size
        if size_bytes > most_bytes:
            raise TranscodeError(
                ErrorCode.RESOURCE_LIMIT,
                f"The encoder left a file of {size_bytes} bytes, {path.parent.name}/{path.name}, "
                f"and at most {most_bytes} are read; choose shorter segments or a lower rate.",
            )
        return file.read(size_bytes)


def read_listing(path: Path) -> str:
    """Return the text of a playlist; raises as `read_output`, and ValueError when it is no text."""
    return read_output(path, PLAYLIST_BYTES).decode()


def read_segment(path: Path, init: Path | None) -> SegmentFacts:
    """Read a segment and the initialization section that it needs; None for transport streams.

    Blocks. Raises MalformedSegment, and what `read_output` does.
    """
    data = read_output(path)
    return read_ts(data) if init is None else read_fmp4(data, read_init(read_output(init)))
