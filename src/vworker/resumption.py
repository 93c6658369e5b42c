"""What an attempt leaves in S3 for the next one, and what the next one takes over.

An attempt begins by storing `attempt.json` under its prefix: which source, which settings. An
attempt that ends half way, by a crash, a drain or a failure that another attempt may not meet,
leaves it and its segments there; which segments are finished, S3 itself tells, since an object is
there whole or not at all. The next attempt, on any worker, looks for the prefix that has most of
what it is about to make itself, and copies those segments into its own. The prefixes of a video
whose attempt has succeeded, or has failed for good, are removed by `vworker.handler`.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vworker.errors import ErrorCode, ObjectNotFound, TranscodeError
from vworker.media.command_line import all_pictures
from vworker.media.encoding import SegmentType
from vworker.media.init_trial import inits_fit, try_inits
from vworker.media.plan import EncodePlan, init_name, segment_name
from vworker.media.seam import Kept, read_kept
from vworker.media.settings import MediaSettings
from vworker.object_store import ObjectInfo, ObjectStore
from vworker.tasks import task_group

logger = logging.getLogger(__name__)

STATE_NAME = "attempt.json"
_STATE_FILE = "attempt.json"
_FOUND_FILE = "earlier.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Earlier:
    """A prefix with finished segments of the same encode."""

    prefix: str
    #: How many segments every rung has, without a gap from the first one on.
    segments: int
    #: Key → what S3 tells of it.
    objects: Mapping[str, ObjectInfo]


#: What the segments themselves may be the reason for.
_OUTPUT_AT_FAULT = {ErrorCode.OUTPUT_INCOMPLETE, ErrorCode.OUTPUT_INVALID}


def may_go_on(error: BaseException) -> bool:
    """Tell whether another attempt can meet a better end with the same segments; pure."""
    if not isinstance(error, TranscodeError):
        return True
    return error.retryable and error.code not in _OUTPUT_AT_FAULT


async def leave_state(
    storage: ObjectStore, prefix: str, scratch: Path, state: Mapping[str, Any]
) -> None:
    """Store what this attempt is about to make. Safe to repeat."""
    path = scratch / _STATE_FILE
    await asyncio.to_thread(path.write_text, json.dumps(state, indent=2))
    await storage.upload(path, prefix + STATE_NAME, "application/json")


def state_of(
    plan: EncodePlan, settings: MediaSettings, *, source_etag: str, profile: str | None
) -> dict[str, Any]:
    """Return what must be the same for two attempts to make the same segments; pure.

    The command line holds every setting of the encode and what the source needs; where FFmpeg
    lies and how many threads it gets differ between workers, and change nothing that matters.
    """
    settings = dataclasses.replace(settings, encoder_threads=0)
    return {
        "source_etag": source_etag,
        "profile": profile,
        "rungs": [rung.name for rung in plan.rungs],
        "command": all_pictures(plan, settings)[1:],
    }


async def take_over(
    storage: ObjectStore,
    prefix: str,
    plan: EncodePlan,
    state: Mapping[str, Any],
    settings: MediaSettings,
) -> Kept | None:
    """Bring the segments of the best earlier attempt under `prefix` and into the output folder.

    Copies inside of S3, `uploads_at_once` objects at a time, and reads them, so that they are
    measured and checked like new ones. None when there is nothing to go on from. Safe to repeat.
    Raises `StorageError` when S3 is away, and of fragmented MP4 what `run_encoder` does.
    """
    earlier = await _find(storage, prefix, plan, state)
    if earlier is None:
        return None
    tried = await try_inits(plan, settings)
    free = asyncio.Semaphore(settings.uploads_at_once)

    async def bring(name: str) -> None:
        async with free:
            await storage.download(earlier.objects[earlier.prefix + name], plan.output / name)

    async def copy(name: str) -> None:
        async with free:
            await storage.copy(earlier.prefix + name, prefix + name)

    try:
        async with task_group() as group:
            for name in _names(plan, earlier.segments):
                group.create_task(bring(name))
        kept = await asyncio.to_thread(read_kept, plan, earlier.segments)
        if kept is not None and not inits_fit(plan, tried):
            logger.warning("segments of %s are of another encoder", earlier.prefix)
            kept = None
        if kept is not None:
            async with task_group() as group:
                for name in _names(plan, kept.segments):
                    group.create_task(copy(name))
    except ObjectNotFound as error:
        # Another attempt at this video has ended meanwhile, or was cancelled.
        logger.warning("segments of %s have gone: %s", earlier.prefix, error)
        kept = None
    _remove_other_files(plan, 0 if kept is None else kept.segments, earlier.segments)
    if kept is not None:
        logger.info(
            "going on behind %d segments (%d pictures) of %s",
            kept.segments,
            kept.frames,
            earlier.prefix,
            extra={"action": "resume"},
        )
    return kept


async def _find(
    storage: ObjectStore, prefix: str, plan: EncodePlan, state: Mapping[str, Any]
) -> Earlier | None:
    """Return the other prefix of the same video that has the most segments of the same encode."""
    parent = prefix.removesuffix("/").rpartition("/")[0] + "/"
    by_owner: defaultdict[str, dict[str, ObjectInfo]] = defaultdict(dict)
    async for found in storage.list(parent):
        owner = found.key.removeprefix(parent).partition("/")[0]
        by_owner[f"{parent}{owner}/"][found.key] = found
    by_owner.pop(prefix, None)
    candidates = [
        Earlier(prefix=owner, segments=_finished(plan, owner, objects), objects=objects)
        for owner, objects in by_owner.items()
        if owner + STATE_NAME in objects
    ]
    for earlier in sorted(candidates, key=lambda one: one.segments, reverse=True):
        if earlier.segments and await _read_state(storage, earlier, plan.scratch) == state:
            return earlier
    return None


def _finished(plan: EncodePlan, owner: str, objects: Mapping[str, ObjectInfo]) -> int:
    """Return how many segments from the first one on are there in all rungs."""
    count = 0
    while all(owner + name in objects for name in _numbered(plan, count)):
        count += 1
    return count if all(owner + name in objects for name in _inits(plan)) else 0


def _names(plan: EncodePlan, segments: int) -> list[str]:
    """Return what is needed of the first segments: with none of them, nothing."""
    names = [name for number in range(segments) for name in _numbered(plan, number)]
    return [*names, *_inits(plan)] if names else []


def _numbered(plan: EncodePlan, number: int) -> list[str]:
    name = segment_name(number, plan.encoding.segments)
    return [f"{rung.name}/{name}" for rung in plan.rungs]


def _inits(plan: EncodePlan) -> list[str]:
    if plan.encoding.segments is SegmentType.TS:
        return []
    return [f"{rung.name}/{init_name(rung.name)}" for rung in plan.rungs]


async def _read_state(storage: ObjectStore, earlier: Earlier, scratch: Path) -> object:
    """Return an attempt's state; None when it cannot be read, or is of another version."""
    path = scratch / _FOUND_FILE
    try:
        await storage.download(earlier.objects[earlier.prefix + STATE_NAME], path)
        return json.loads(await asyncio.to_thread(path.read_bytes))
    except (ObjectNotFound, ValueError):
        return None


def _remove_other_files(plan: EncodePlan, kept: int, brought: int) -> None:
    """Delete the segments that FFmpeg is to make anew."""
    for name in set(_names(plan, brought)) - set(_names(plan, kept)):
        (plan.output / name).unlink(missing_ok=True)
