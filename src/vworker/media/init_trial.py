"""Whether this worker's FFmpeg makes pictures that fit another attempt's initialization sections.

The section of fragmented MP4 holds what every picture is decoded with. Attempts with the same
command may have another FFmpeg or x264, which shows in the sections: so one picture is encoded
first, and its section compared. Transport streams carry the same in every segment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from vworker.media.command_line import TRIAL_STEM, first_pictures
from vworker.media.encoding import SegmentType
from vworker.media.ffmpeg import run_encoder
from vworker.media.fmp4 import InitSection, read_init
from vworker.media.plan import PLAYLIST_NAME, EncodePlan, init_name, segment_name
from vworker.media.segment import MalformedSegment
from vworker.media.segment_file import read_output
from vworker.media.settings import MediaSettings


async def try_inits(plan: EncodePlan, settings: MediaSettings) -> Mapping[str, InitSection]:
    """Return the section that FFmpeg makes here for each rung; none for transport streams.

    Costs a start of FFmpeg and the first picture. The output folder is as before in the end.
    Raises what `run_encoder` does.
    """
    if plan.encoding.segments is SegmentType.TS:
        return {}
    await run_encoder(first_pictures(plan, settings), plan, settings, lambda _: None)
    tried = {}
    for rung in plan.rungs:
        folder = plan.output / rung.name
        path = folder / init_name(rung.name, TRIAL_STEM)
        tried[rung.name] = read_init(read_output(path))
        for name in (path.name, segment_name(0, plan.encoding.segments), PLAYLIST_NAME):
            (folder / name).unlink()
    return tried


def inits_fit(plan: EncodePlan, tried: Mapping[str, InitSection]) -> bool:
    """Tell whether the sections in the output folder say the same. Blocks: reads files.

    Their edit lists may differ: the kept one holds for all segments.
    """
    try:
        return all(
            _comparable(read_init(read_output(plan.output / rung / init_name(rung))))
            == _comparable(section)
            for rung, section in tried.items()
        )
    except MalformedSegment:
        return False


def _comparable(section: InitSection) -> InitSection:
    return {number: replace(track, shift_s=0.0) for number, track in section.items()}
