"""The encode of the sounds in a process of their own, up to an end that the caller knows."""

from __future__ import annotations

from dataclasses import dataclass

from vworker.media.command_line import TS_DELAY_S, all_sounds
from vworker.media.encoding import SegmentType
from vworker.media.ffmpeg import run_encoder
from vworker.media.hls import parse_media_playlist
from vworker.media.loudness import Loudness
from vworker.media.plan import LATE_S, PLAYLIST_NAME, EncodePlan, find_init, segment_name
from vworker.media.segment import MalformedSegment
from vworker.media.segment_file import read_listing, read_segment
from vworker.media.settings import MediaSettings


@dataclass(frozen=True, kw_only=True, slots=True)
class EncodeOutcome:
    """How an encode went that has left all its renditions in their folders."""

    #: FFmpeg's, of all of its runs.
    last_lines: tuple[str, ...]
    #: Whether segments of sounds were there before that are others now.
    sounds_made_anew: bool


async def encode_sounds(
    plan: EncodePlan,
    settings: MediaSettings,
    *,
    end_s: float,
    loudness: tuple[Loudness | None, ...] = (),
) -> EncodeOutcome:
    """Encode all sounds from 0 to `end_s` seconds, gaps as silence.

    Safe to repeat: each finished segment takes the place of an older one, which may be on its way
    to S3, and what is left over of those is removed. Raises what `run_encoder` does.
    """

    async def run(*, all_late: bool) -> tuple[str, ...]:
        argv = all_sounds(plan, settings, loudness, end_s=end_s, all_late=all_late)
        return await run_encoder(argv, plan, settings, lambda _: None)

    last_lines = await run(all_late=False)
    # FFmpeg looks for the start of a stream in the first seconds of a file only.
    late = _begin_late(plan)
    if late:
        last_lines += await run(all_late=True)
    _remove_left_over(plan)
    return EncodeOutcome(last_lines=last_lines, sounds_made_anew=late)


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
