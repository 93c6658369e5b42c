"""The clock of segments of fragmented MP4 (ISO/IEC 14496-12): looked at, and put off.

A segment tells its time in three places: the number of each fragment (mfhd, 8.8.5), its first
decoding time (tfdt, 8.8.12) and the earliest picture of its index (sidx, 8.16.3).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from vworker.media.segment import MalformedSegment

_CONTAINERS = {b"moof", b"traf"}


@dataclass(frozen=True, kw_only=True, slots=True)
class FragmentClock:
    """Where a fragment stands in its stream."""

    #: When its first frame is decoded, in the track's ticks, before any edit list.
    ticks: int
    #: The fragment's number.
    sequence: int


def first_clock(data: bytes) -> FragmentClock:
    """Return the clock of a segment's first fragment. Raises MalformedSegment."""
    return next(_clocks(data))


def last_sequence(data: bytes) -> int:
    """Return the number of a segment's last fragment. Raises MalformedSegment."""
    return max(clock.sequence for clock in _clocks(data))


def shift_clock(data: bytes, by: FragmentClock) -> bytes:
    """Return a segment with all of its times and numbers put off. Raises MalformedSegment."""
    shifted = bytearray(data)
    for name, at in _boxes(data, 0, len(data)):
        if name == b"mfhd":
            _add(shifted, at + 12, 4, by.sequence)
        elif name == b"tfdt":
            _add(shifted, at + 12, _width(data, at), by.ticks)
        elif name == b"sidx":
            _add(shifted, at + 20, _width(data, at), by.ticks)
    return bytes(shifted)


def _clocks(data: bytes) -> Iterator[FragmentClock]:
    sequence = None
    for name, at in _boxes(data, 0, len(data)):
        if name == b"mfhd":
            sequence = int.from_bytes(data[at + 12 : at + 16], "big")
        elif name == b"tfdt" and sequence is not None:
            ticks = int.from_bytes(data[at + 12 : at + 12 + _width(data, at)], "big")
            yield FragmentClock(ticks=ticks, sequence=sequence)
    if sequence is None:
        raise MalformedSegment("there is no movie fragment in the segment")


def _width(data: bytes, at: int) -> int:
    """Return the bytes of a time: version 1 of a box has 64 bits."""
    return 8 if data[at + 8] == 1 else 4


def _add(data: bytearray, at: int, width: int, value: int) -> None:
    total = int.from_bytes(data[at : at + width], "big") + value
    data[at : at + width] = total.to_bytes(width, "big")


def _boxes(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int]]:
    """Yield the name and the position of every box that tells a time."""
    while at < end:
        size, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if size < 8 or at + size > end:
            raise MalformedSegment(f"the box at byte {at} is cut off")
        if name in _CONTAINERS:
            yield from _boxes(data, at + 8, at + size)
        else:
            yield name, at
        at += size
