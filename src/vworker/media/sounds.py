"""The encode of the sounds in a process of their own, up to an end that the caller knows."""

from __future__ import annotations

from vworker.media.command_line import TS_DELAY_S, all_sounds
from vworker.media.encoding import SegmentType
from vworker.media.ffmpeg import run_encoder
from vworker.media.hls import parse_media_playlist
from vworker.media.loudness import Loudness
from vworker.media.plan import LATE_S, PLAYLIST_NAME, EncodePlan, find_init, segment_name
from vworker.media.segment import MalformedSegment
from vworker.media.segment_file import read_listing, read_segment
from vworker.media.settings import MediaSettings


async def encode_sounds(
    plan: EncodePlan,
    settings: MediaSettings,
    *,
    end_s: float,
    loudness: tuple[Loudness | None, ...] = (),
) -> tuple[str, ...]:
    """Encode all sounds from 0 to `end_s` seconds, gaps as silence; return FFmpeg's last lines.

    While it runs, segments are those that stay only if `sounds_begin` says so. Safe to repeat: each
    finished segment takes the place of an older one, which may be on its way to S3, and what is
    left over of those is removed. Raises what `run_encoder` does.
    """

    async def run(*, all_late: bool) -> tuple[str, ...]:
        argv = all_sounds(plan, settings, loudness, end_s=end_s, all_late=all_late)
        return await run_encoder(argv, plan, settings, lambda _: None)

    last_lines = await run(all_late=False)
    # FFmpeg looks for the start of a stream in the first seconds of a file only.
    if _begin_late(plan):
        _remove_segments(plan)
        last_lines += await run(all_late=True)
    _remove_left_over(plan)
    return last_lines


def sounds_begin(plan: EncodePlan) -> bool:
    """Tell whether every sound has its first segment, and it begins at 0, as it must.

    Until then the segments that are there may be made anew. Blocks: reads them.
    """
    begins = [begin_of(plan, sound.folder) for sound in plan.sounds]
    return all(begin_s is not None and begin_s <= LATE_S for begin_s in begins)


def _remove_segments(plan: EncodePlan) -> None:
    """Remove what begins too late, before a player can be told of it."""
    for sound in plan.sounds:
        for segment in (plan.output / sound.folder).glob("seg_*"):
            segment.unlink()


def _remove_left_over(plan: EncodePlan) -> None:
    """Remove the segments of an earlier run that went on for longer, or was cancelled."""
    for sound in plan.sounds:
        folder = plan.output / sound.folder
        # When nothing of a sound could be encoded, `measure_output` says so.
        if (path := folder / PLAYLIST_NAME).exists():
            listed = {segment.uri for segment in parse_media_playlist(read_listing(path)).segments}
            for segment in folder.glob("seg_*"):
                if segment.name not in listed:
                    segment.unlink()


def _begin_late(plan: EncodePlan) -> bool:
    begins = [begin_of(plan, sound.folder) for sound in plan.sounds]
    return any(begin_s is not None and begin_s > LATE_S for begin_s in begins)


def begin_of(plan: EncodePlan, rendition: str) -> float | None:
    """Return at which second of the video a rendition begins; None when it has no whole segment.

    `measure_output` says then what is missing. Blocks: reads the first segment.
    """
    kind, folder = plan.encoding.segments, plan.output / rendition
    try:
        track = read_segment(folder / segment_name(0, kind), find_init(folder)).main_track
    except (FileNotFoundError, MalformedSegment):
        return None
    if track is None:
        return None
    return track.start_s - plan.clock_s - (TS_DELAY_S if kind is SegmentType.TS else 0.0)
