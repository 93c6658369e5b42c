"""Rules on I-frame playlists."""

from __future__ import annotations

from collections.abc import Iterator

from vworker.media.check.listing import ListedSegment
from vworker.media.check.presentation import Presentation, resolve
from vworker.media.check.rules import Finding, broken
from vworker.media.segment import Container, Kind, SegmentFacts

_DENSE_S = 1.05


def check_iframes(found: Presentation) -> Iterator[Finding]:
    """Test that there are I-frame playlists, and that every range in them is one I-frame."""
    if found.master is None:
        return
    if not found.master.iframes:
        yield broken("apple-6.1", found.master_uri, "it has no EXT-X-I-FRAME-STREAM-INF")
    for uri, listing in found.iframes.items():
        if not listing.iframes_only:
            yield broken("apple-6.8", uri, "it has no EXT-X-I-FRAMES-ONLY")
        for listed in listing.segments:
            segment = found.segments.get(resolve(uri, listed.uri))
            if segment is not None and not _is_one_iframe(listed, segment):
                yield broken("apple-6.8", uri, f"a range of {listed.uri} is no I-frame")
                break
    gaps = [
        sum(listed.duration_s for listed in listing.segments) / len(listing.segments)
        for listing in found.iframes.values()
        if listing.segments
    ]
    if gaps and min(gaps) > _DENSE_S:
        yield broken("apple-6.2", found.master_uri, f"the densest has one in {min(gaps):.1f} s")


def _is_one_iframe(listed: ListedSegment, segment: SegmentFacts) -> bool:
    """Whether a range ends with a key frame, and begins with it or with its movie fragment."""
    offset, length = (
        (listed.byte_range.offset, listed.byte_range.length)
        if listed.byte_range
        else (0, segment.size_bytes)
    )
    keys = {
        frame.start
        for track in segment.of_kind(Kind.VIDEO)
        for frame in track.keys
        if frame.end == offset + length
    }
    if segment.container is Container.TS:
        return offset in keys
    return any(offset == fragment and first in keys for fragment, first in segment.fragments)
