"""A segment on disk, read whatever its container is."""

from __future__ import annotations

from pathlib import Path

from vworker.media.fmp4 import read_fmp4, read_init
from vworker.media.segment import SegmentFacts
from vworker.media.ts import read_ts


def read_segment(path: Path, init: Path | None) -> SegmentFacts:
    """Read a segment and the initialization section that it needs; None for transport streams.

    Blocks. Raises MalformedSegment, and OSError when a file cannot be read.
    """
    data = path.read_bytes()
    return read_ts(data) if init is None else read_fmp4(data, read_init(init.read_bytes()))
