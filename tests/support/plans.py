"""A plan of an encode for the tests of pure parts."""

from fractions import Fraction
from pathlib import Path

from vworker.media.encoding import Encoding
from vworker.media.plan import EncodePlan, make_plan
from vworker.media.source import AudioStream, Colour, SourceInfo, VideoStream

#: 854x480 at 25 frames a second, 3 s, tagged BT.709, with one sound track.
INFO = SourceInfo(
    container="mov",
    container_duration_s=3.0,
    video=VideoStream(
        index=1,
        codec="h264",
        width=854,
        height=480,
        frame_rate=Fraction(25),
        duration_s=3.0,
        colour=Colour(primaries="bt709", matrix="bt709"),
    ),
    sounds=(AudioStream(index=0, codec="aac", language="eng"),),
)


def planned(info: SourceInfo, encoding: Encoding | None = None) -> EncodePlan:
    """Plan the encode of a source in a folder that need not exist."""
    return make_plan(Path("/scratch/a"), info, encoding or Encoding())


PLAN = planned(INFO)
