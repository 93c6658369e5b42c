"""One attempt's output on its way to S3: segments during the encode, playlists after them.

The order is the promise: a media playlist goes up when all of its segments are there, the master
playlist when everything else is there. Whoever can read a playlist can play all that it names.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from pathlib import Path

from vworker.contract import PLAYLIST_CONTENT_TYPE, SEGMENT_CONTENT_TYPE
from vworker.errors import StorageError
from vworker.media.plan import PLAYLIST_NAME, segment_name
from vworker.result import MASTER_NAME
from vworker.storage import Storage

logger = logging.getLogger(__name__)

_WITHDRAW_TIMEOUT_S = 30.0


class Publisher:
    """Uploads what FFmpeg finishes in `folder` under `prefix`.

    Upload tasks belong to `group`: a failed upload ends the encode beside it. Everything is safe
    to repeat, since an attempt writes the same keys again and nobody else writes them.
    """

    def __init__(
        self,
        *,
        storage: Storage,
        prefix: str,
        folder: Path,
        renditions: Iterable[str],
        group: asyncio.TaskGroup,
        uploads_at_once: int,
    ) -> None:
        self._storage = storage
        self._prefix = prefix
        self._folder = folder
        #: Rendition → number of its segments that were handed to an upload.
        self._collected = dict.fromkeys(renditions, 0)
        self._group = group
        self._free = asyncio.Semaphore(uploads_at_once)

    def collect(self) -> None:
        """Start the upload of every segment finished since the last call.

        FFmpeg names a segment only when it is complete, and in order; looking for the next number
        costs the same however long the video is.
        """
        for name, number in self._collected.items():
            while (path := self._folder / name / segment_name(number)).exists():
                self._group.create_task(self._upload_segment(path, f"{name}/{path.name}"))
                number += 1
            self._collected[name] = number

    async def _upload_segment(self, path: Path, name: str) -> None:
        async with self._free:
            await self._storage.upload(path, self._prefix + name, SEGMENT_CONTENT_TYPE)

    async def publish_playlists(self) -> None:
        """Upload the media playlists; call it when every segment upload has ended well."""
        for name in self._collected:
            await self._upload_playlist(f"{name}/{PLAYLIST_NAME}")

    async def publish_master(self, text: str) -> int:
        """Upload the master playlist, strictly last; return its size in bytes."""
        path = self._folder / MASTER_NAME
        path.write_text(text)
        return await self._upload_playlist(MASTER_NAME)

    async def _upload_playlist(self, name: str) -> int:
        return await self._storage.upload(
            self._folder / name, self._prefix + name, PLAYLIST_CONTENT_TYPE
        )


async def withdraw(storage: Storage, prefix: str) -> None:
    """Delete what a failed attempt has uploaded under its prefix. Safe to repeat.

    When S3 cannot be reached the objects stay, under a prefix that no result names; the attempt's
    own failure is the one to report.
    """
    try:
        async with asyncio.timeout(_WITHDRAW_TIMEOUT_S):
            count = await storage.delete_prefix(prefix)
    except (StorageError, TimeoutError) as error:
        logger.warning(
            "objects of a failed attempt stay under %s: %s",
            prefix,
            error or "no answer in time",
            extra={"action": "withdraw"},
        )
        return
    if count:
        logger.info(
            "deleted %d objects of a failed attempt under %s",
            count,
            prefix,
            extra={"action": "withdraw"},
        )
