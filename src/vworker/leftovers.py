"""What attempts have left in S3 for the next one, removed when there is none to come."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime

from vworker.contract import videos_prefix
from vworker.errors import StorageError
from vworker.resumption import STATE_NAME
from vworker.storage import Storage

logger = logging.getLogger(__name__)

_TIMEOUT_S = 30.0


def fence_at(moment: datetime) -> int:
    """Return a fence that is larger than those of all activations before a moment of Redis' clock.

    A fence is the id of a stream entry, milliseconds · 2²⁰ + sequence.
    """
    return round(moment.timestamp() * 1000) << 20


async def remove_leftovers(
    storage: Storage,
    video_id: str,
    *,
    before: int,
    own: str | None = None,
    published: bool = False,
) -> bool:
    """Delete what attempts with a smaller fence than `before` have left; return whether all went.

    `own` is the prefix of the attempt that has ended: when it is `published` only its state goes,
    else all of it. An attempt with another fence is running, or has succeeded, and is left alone:
    this one may have lost its lease. Safe to repeat. A failure is logged and does not fail the
    job: nothing names these objects.
    """
    parent = videos_prefix(video_id)
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            owners = {
                found.key.removeprefix(parent).partition("/")[0]
                async for found in storage.list(parent)
            }
            for owner in sorted(owners):
                prefix = f"{parent}{owner}/"
                number = owner.partition("-")[0]
                if prefix == own and published:
                    await storage.delete(prefix + STATE_NAME)
                elif prefix == own or (number.isdecimal() and int(number) < before):
                    await storage.delete_prefix(prefix)
    except (StorageError, TimeoutError) as error:
        logger.warning(
            "video %s: leftovers stay in S3: %s",
            video_id,
            error or "no answer in time",
            extra={"action": "remove_leftovers", "job_id": video_id},
        )
        return False
    return True
