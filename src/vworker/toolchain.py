"""FFmpeg made ready before the first video: confined, complete, with threads chosen for it."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import os

from vworker.containment_config import SandboxSettings
from vworker.errors import TranscodeError
from vworker.media.capabilities import OLDEST_VERSION, ask_ffmpeg, threads_per_encoder
from vworker.media.settings import MediaSettings
from vworker.sandbox import Level
from vworker.variable import ConfigError

logger = logging.getLogger(__name__)


async def prepare_ffmpeg(
    media: MediaSettings, sandbox: SandboxSettings, *, jobs: int
) -> MediaSettings:
    """Return settings with an open sandbox, `jobs` encodes' threads, and what FFmpeg decodes.

    Says in the log what was found. Safe to repeat. Raises ConfigError when FFmpeg cannot be
    confined as asked, does not answer, is too old or lacks a part.
    """
    return await _suited(await _confined(media, sandbox), jobs)


async def _confined(media: MediaSettings, settings: SandboxSettings) -> MediaSettings:
    """Open the sandbox that FFmpeg is to run in, and say which one it is."""
    sandbox = await asyncio.to_thread(settings.open, ffmpeg=media.ffmpeg, ffprobe=media.ffprobe)
    bare = sandbox.level is Level.RLIMITS
    logger.log(
        logging.WARNING if bare else logging.INFO,
        "FFmpeg runs in the sandbox %s%s",
        sandbox,
        ": it can read all that this user can, and use the network" if bare else "",
        extra={"action": "sandbox", "sandbox": str(sandbox.level)},
    )
    return dataclasses.replace(media, sandbox=sandbox)


async def _suited(media: MediaSettings, jobs: int) -> MediaSettings:
    """Ask FFmpeg what it can do, say what follows, and choose what was left to the worker."""
    try:
        found = await ask_ffmpeg(media)
    except (TranscodeError, TimeoutError) as error:
        raise ConfigError(
            f"FFMPEG={media.ffmpeg} does not answer: {error or 'no answer in time'}; "
            "run it with -version as this user"
        ) from error
    if found.too_old:
        raise ConfigError(
            f"FFMPEG={media.ffmpeg} is FFmpeg {found.version}, which is too old: install "
            f"{OLDEST_VERSION} or newer, or set FFMPEG and FFPROBE to such a build"
        )
    if found.missing:
        raise ConfigError(
            f"FFMPEG={media.ffmpeg} lacks {', '.join(found.missing)}: install a full build"
        )
    cores = len(os.sched_getaffinity(0))
    threads = media.encoder_threads
    if threads is None:
        threads = threads_per_encoder(jobs=jobs, cores=cores)
    logger.info(
        "FFmpeg %s; %s for each encoder, with %d jobs on %d cores%s",
        found.version,
        f"{threads} threads" if threads else "as many threads as x264 chooses",
        jobs,
        cores,
        "" if found.decodes_av1 else "; it cannot decode AV1",
        extra={"action": "ffmpeg"},
    )
    return dataclasses.replace(media, encoder_threads=threads, decodes=found.decodes)
