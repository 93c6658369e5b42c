"""The encode of a video: its pictures, and its sounds beside them in a process of their own.

The pictures alone decide where a video ends, and only their encode tells where that is. In one
process with them a sound that has a gap or ends early could keep them waiting in memory, and one
that goes on behind them would have to be cut at an end that nobody knows yet. So the sounds are
encoded to the end that the source announces, which takes about a hundredth of what the pictures
take, and once more if the pictures end elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from vworker.media.command_line import all_pictures, later_pictures
from vworker.media.ffmpeg import run_encoder
from vworker.media.loudness import Loudness
from vworker.media.plan import EncodePlan
from vworker.media.progress import Progress
from vworker.media.seam import Kept, list_kept
from vworker.media.settings import MediaSettings
from vworker.media.sounds import begin_of, encode_sounds
from vworker.tasks import task_group

#: Seconds of an AAC frame: ends that are closer to each other are the same to a sound, or one frame
#: apart.
_AAC_FRAME_S = 1024 / 48_000


@dataclass(frozen=True, kw_only=True, slots=True)
class EncodeOutcome:
    """How an encode went that has left all its renditions in their folders."""

    #: FFmpeg's, of all of its runs.
    last_lines: tuple[str, ...]
    #: Whether segments of sounds that `sounds_begin` was true of are others now.
    sounds_made_anew: bool


async def encode(
    plan: EncodePlan,
    settings: MediaSettings,
    on_progress: Callable[[Progress], None],
    *,
    kept: Kept | None = None,
    loudness: tuple[Loudness | None, ...] = (),
) -> EncodeOutcome:
    """Encode what is missing beside the `kept` segments, all if there are none.

    `on_progress` is called twice a second, with the progress of the pictures. Not safe to repeat in
    the same folder. Raises what `run_encoder` does; then neither process is left.
    """
    frames = 0

    def follow(progress: Progress) -> None:
        nonlocal frames
        frames = progress.frame or 0
        on_progress(progress)

    announced_s = plan.announced_end_s if plan.sounds else None
    async with task_group() as group:
        beside: asyncio.Task[tuple[str, ...]] | None = None
        if announced_s is not None:
            sounds = encode_sounds(plan, settings, end_s=announced_s, loudness=loudness)
            beside = group.create_task(sounds)
        last_lines = await run_encoder(_pictures(plan, settings, kept), plan, settings, follow)
        if kept is not None:
            list_kept(plan, kept)
            frames += kept.frames
        begin_s = begin_of(plan, plan.rungs[-1].name) or 0.0
        end_s = begin_s + float(frames / plan.frame_rate)
        fits = announced_s is not None and abs(end_s - announced_s) < _AAC_FRAME_S
        if beside is not None and not fits:
            beside.cancel()
    if beside is not None and fits:
        return EncodeOutcome(last_lines=last_lines + beside.result(), sounds_made_anew=False)
    # Without pictures there is nothing to end with, and `measure_output` says so.
    if not plan.sounds or frames == 0:
        return EncodeOutcome(last_lines=last_lines, sounds_made_anew=False)
    last_lines += await encode_sounds(plan, settings, end_s=end_s, loudness=loudness)
    return EncodeOutcome(last_lines=last_lines, sounds_made_anew=True)


def _pictures(plan: EncodePlan, settings: MediaSettings, kept: Kept | None) -> list[str]:
    if kept is None:
        return all_pictures(plan, settings)
    return later_pictures(
        plan, settings, segments=kept.segments, frames=kept.frames, clock_s=kept.clock_s
    )
