"""When the segments of one rendition are shown, from the time stamps of their frames. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vworker.media.segment import Container, Frame, Kind, SegmentFacts
from vworker.media.ts import WRAP_S


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """From the first frame of a segment to the end of its last one, in seconds."""

    start_s: float
    end_s: float


def frame_seconds(segments: Sequence[SegmentFacts]) -> float | None:
    """Return how long a picture is shown, the median; None when no segment has two of them."""
    told = [track.frame_s for segment in segments for track in segment.of_kind(Kind.VIDEO)]
    known = [frame_s for frame_s in told if frame_s is not None]
    return statistics.median(known) if known else None


def spans(segments: Sequence[SegmentFacts], frame_s: float) -> list[Span]:
    """Return the span of every segment; a picture that does not tell its duration has `frame_s`.

    Every segment must have a track with frames. Clocks that begin again at 0 are straightened.
    """
    found: list[Span] = []
    wraps = 0.0
    for segment in segments:
        track = segment.main_track
        if track is None:
            raise ValueError("a segment without frames has no span")
        start = track.start_s + wraps
        if found and segment.container is Container.TS and start < found[-1].start_s - WRAP_S / 2:
            wraps += WRAP_S
            start += WRAP_S
        last_s = frame_s if track.last_duration_s is None else track.last_duration_s
        end = start + (track.last_s - track.start_s) + last_s
        found.append(Span(start_s=start, end_s=end))
    return found


def durations(found: Sequence[Span]) -> list[float]:
    """Return how long a player stays in each segment: up to the start of the next one."""
    starts = [span.start_s for span in found]
    ends = [*starts[1:], found[-1].end_s] if found else []
    return [end - start for start, end in zip(starts, ends, strict=True)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Still:
    """A picture that can be decoded alone, and where it is."""

    #: Number of the segment in its rendition.
    segment: int
    frame: Frame
    #: Seconds from the rendition's first picture, and up to the next still or the end.
    at_s: float
    duration_s: float
    #: Bytes of the segment's file that a player must load for it.
    offset: int
    length: int


def stills(segments: Sequence[SegmentFacts], found: Sequence[Span]) -> list[Still]:
    """Return the stills of a rendition of pictures, in their order; `found` are its spans."""
    keys = [
        (number, frame, offset, found[number].start_s + frame.pts_s - track.start_s)
        for number, segment in enumerate(segments)
        for track in segment.of_kind(Kind.VIDEO)[:1]
        for frame, offset in _loadable(segment, track.keys)
    ]
    if not keys:
        return []
    ends = [at for *_, at in keys[1:]] + [found[-1].end_s]
    return [
        Still(
            segment=number,
            frame=frame,
            at_s=at - found[0].start_s,
            duration_s=end - at,
            offset=offset,
            length=frame.end - offset,
        )
        for (number, frame, offset, at), end in zip(keys, ends, strict=True)
    ]


def _loadable(segment: SegmentFacts, keys: Sequence[Frame]) -> Iterator[tuple[Frame, int]]:
    """Yield the pictures that one range of bytes brings, with its start.

    In fragmented MP4 that is the first picture of a fragment only: the range begins with the
    moof box, and would hold all pictures before a later one.
    """
    if segment.container is Container.TS:
        yield from ((frame, frame.start) for frame in keys)
        return
    begins = {first: fragment for fragment, first in segment.fragments}
    yield from ((frame, begins[frame.start]) for frame in keys if frame.start in begins)
