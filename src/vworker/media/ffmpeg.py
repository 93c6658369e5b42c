"""A run of FFmpeg over the source, and its failures told as ours."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from vworker.errors import ErrorCode, TranscodeError
from vworker.media.diagnosis import diagnose
from vworker.media.lost_pictures import LostPictures
from vworker.media.plan import CUBE_PATH, OUTPUT_NAME, SOURCE_NAME, EncodePlan
from vworker.media.process import LastLines, run_child
from vworker.media.progress import Progress, ProgressParser
from vworker.media.settings import MediaSettings
from vworker.media.tone_map import cube, needs_cube
from vworker.sandbox import Access

logger = logging.getLogger(__name__)


def prepare_folders(plan: EncodePlan) -> None:
    """Make everything that `encode` needs beside the source. Blocks: writes files."""
    for name in plan.names:
        (plan.output / name).mkdir(parents=True)
    colour = plan.info.video.colour
    if needs_cube(colour):
        (plan.scratch / CUBE_PATH).write_text(cube(colour), encoding="ascii")


async def run_encoder(
    argv: Sequence[str],
    plan: EncodePlan,
    settings: MediaSettings,
    on_progress: Callable[[Progress], None],
) -> tuple[str, ...]:
    """Run FFmpeg to its end; return its last lines. `on_progress` is called twice a second.

    The folders of `plan.names` must exist, and the colour cube when the source needs one
    (`prepare_folders`).

    Cancelling ends FFmpeg first. Raises `TranscodeError`: encode_failed, source_truncated and
    time_limit (final), stalled, and what `diagnose` finds.
    """
    loop = asyncio.get_running_loop()
    time_limit_s = settings.source_limits.time_limit_s(plan.announced_end_s)
    parser, lost = ProgressParser(), LostPictures()
    last_lines = LastLines(lost.note)
    last: Progress | None = None
    try:
        async with asyncio.timeout(settings.stall_timeout_s) as watchdog:

            def follow(data: bytes) -> None:
                nonlocal last
                for progress in parser.feed(data):
                    # An encoder that is stopped tells once more where it is.
                    if progress != last and not watchdog.expired():
                        watchdog.reschedule(loop.time() + settings.stall_timeout_s)
                    last = progress
                    on_progress(progress)

            ended = await run_child(
                argv,
                access=Access(folder=plan.scratch, reads=(SOURCE_NAME,), writes=(OUTPUT_NAME,)),
                timeout_s=time_limit_s,
                on_output=follow,
                settings=settings,
                last_lines=last_lines,
            )
    except TimeoutError:
        if not watchdog.expired():
            raise TranscodeError(
                ErrorCode.TIME_LIMIT,
                f"The encode did not end within {time_limit_s:.0f} seconds and was stopped.",
                detail=last_lines.lines(),
            ) from None
        raise TranscodeError(
            ErrorCode.STALLED,
            f"The encoder made no progress for {settings.stall_timeout_s:g} seconds and was "
            "stopped.",
            detail=last_lines.lines(),
        ) from None
    if ended.code != 0:
        raise diagnose(
            ended,
            otherwise=ErrorCode.ENCODE_FAILED,
            message="The video could not be transcoded: the encoder gave up on it "
            f"(exit code {ended.code}).",
        )
    if lost.count:
        logger.warning(
            "%d pictures of the video cannot be decoded",
            lost.count,
            extra={"action": "lost_pictures"},
        )
    lost.check(plan)
    return ended.last_lines
