"""How long a rendition must last, for lengths that no test would encode."""

import pytest

from vworker.media.check.listing import ListedSegment, ListedVariant, MasterListing, MediaListing
from vworker.media.check.presentation import Presentation, Rendition
from vworker.media.check.timing_rules import check_timing
from vworker.media.timeline import Span


def lasting(seconds: float) -> Presentation:
    """A video of one rung and one segment of so many seconds."""
    segment = ListedSegment(uri="0.ts", duration_s=seconds, byte_range=None, discontinuity=False)
    listing = MediaListing(
        text="",
        version=6,
        target_duration_s=round(seconds),
        vod=True,
        ended=True,
        iframes_only=False,
        init_uri=None,
        init_range=None,
        segments=(segment,),
    )
    variant = ListedVariant(
        uri="360p.m3u8",
        bandwidth=1,
        average_bandwidth=1,
        codecs=(),
        resolution=None,
        frame_rate=None,
        audio=None,
        subtitles=None,
    )
    rendition = Rendition(
        uri=variant.uri,
        listing=listing,
        segments=(),
        spans=(Span(start_s=0.0, end_s=seconds),),
        frame_s=0.04,
    )
    master = MasterListing(
        text="", version=6, independent=True, variants=(variant,), iframes=(), media=()
    )
    return Presentation(
        master_uri="master.m3u8", master=master, renditions={variant.uri: rendition}
    )


@pytest.mark.parametrize(
    ("lasts_s", "source_s", "kept"),
    [(9.6, 10, True), (9.4, 10, False), (7195.1, 7200, True), (7194.9, 7200, False)],
)
def test_a_rendition_may_lack_what_a_source_may(
    lasts_s: float, source_s: float, kept: bool
) -> None:
    broken = {finding.rule.number for finding in check_timing(lasting(lasts_s), source_s)}
    assert ("vqueue-1" not in broken) == kept
