"""One attempt's output on its way to S3: segments during the encode, the rest after them.

The order is the promise: a segment goes up when its initialization section is there, a media
playlist when all of its segments are, the master playlist when everything else is. Whoever can read
a playlist can play all that it names.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping
from pathlib import Path
from typing import Any

from vworker.contract import CONTENT_TYPES
from vworker.errors import StorageError
from vworker.media.encoding import SegmentType
from vworker.media.plan import find_init, segment_name
from vworker.media.seam import Seam
from vworker.object_store import ObjectStore

logger = logging.getLogger(__name__)

_WITHDRAW_TIMEOUT_S = 30.0
#: Seconds that a drain waits for segments on their way: a worker shall end 2 s after its grace.
_HAND_OVER_S = 1.5


class Publisher:
    """Uploads what FFmpeg finishes in `folder` under `prefix`.

    The first of the `renditions` holds pictures; those that are `sounds` end with it.
    With a `seam` the segments in front of it are under the prefix already. Upload tasks belong to
    `group`: a failed upload ends the encode beside it. Everything is safe to repeat, since an
    attempt writes the same keys again and nobody else writes them.
    """

    def __init__(
        self,
        *,
        storage: ObjectStore,
        prefix: str,
        folder: Path,
        renditions: Mapping[str, SegmentType],
        group: asyncio.TaskGroup,
        uploads_at_once: int,
        sounds: Collection[str] = (),
        sounds_begin: Callable[[], bool] = lambda: True,
        seam: Seam | None = None,
        on_stored: Callable[[str, int], None] = lambda name, number: None,
    ) -> None:
        self._storage = storage
        self._prefix = prefix
        self._folder = folder
        self._renditions = renditions
        #: Of the renditions: one of pictures, whose end is not known before it is there, and those
        #: that end with it.
        self._leader = next(iter(renditions))
        self._sounds = sounds
        #: Asked until it is true: whether those begin as they must, else they are made anew.
        self._sounds_begin = sounds_begin
        self._sounds_have_begun = False
        self._seam = seam
        #: Told the rendition and the number of each segment that is in S3.
        self._on_stored = on_stored
        #: Rendition → number of its segments that were handed to an upload, or are there already.
        self._collected = {name: seam.first_number(name) if seam else 0 for name in renditions}
        self._group = group
        self._free = asyncio.Semaphore(uploads_at_once)
        self._kept_bytes = seam.kept.size_bytes if seam else 0
        #: Name under the prefix → bytes stored.
        self._sizes: dict[str, int] = {}
        self._under_way: set[asyncio.Task[None]] = set()
        self._broken = False

    @property
    def published_bytes(self) -> int:
        """Bytes that have been stored so far, those of an earlier attempt's segments included."""
        return self._kept_bytes + sum(self._sizes.values())

    def collect(self) -> None:
        """Start the upload of every segment finished since the last call.

        FFmpeg names a segment only when it is complete, and in order; looking for the next number
        costs the same however long the video is.
        """
        self._collect(self._is_finished)

    def collect_in_step(self) -> None:
        """Start the upload of what is finished and certain while pictures are still encoded.

        A sound's segment is when all sounds begin where they must, the pictures have gone on behind
        it, and it is not its last one: sounds end where the pictures do, and are made anew when
        that is not where they have ended.
        """
        self._collect(self._is_certain)

    def _collect(self, may_go: Callable[[str, int], bool]) -> None:
        for name, number in self._collected.items():
            while may_go(name, number):
                if self._seam is not None:
                    self._seam.join(name, self._path(name, number).name)
                self._begin(self._upload_segment(name, number))
                number += 1
            self._collected[name] = number

    def _is_finished(self, name: str, number: int) -> bool:
        return self._path(name, number).exists()

    def _is_certain(self, name: str, number: int) -> bool:
        if name not in self._sounds:
            return self._is_finished(name, number)
        is_inside = self._is_finished(self._leader, number) and self._is_finished(name, number + 1)
        if is_inside and not self._sounds_have_begun:
            self._sounds_have_begun = self._sounds_begin()
        return is_inside and self._sounds_have_begun

    def _path(self, name: str, number: int) -> Path:
        return self._folder / name / segment_name(number, self._renditions[name])

    def collect_again(self, names: Iterable[str]) -> None:
        """Upload the segments of renditions once more, which were made anew under their names."""
        self._collected |= dict.fromkeys(names, 0)
        self.collect()

    async def hand_over(self) -> None:
        """Store what is finished, for the attempt that goes on from here; call it last.

        Takes 1.5 s at most, and nothing when an upload has failed before. Safe to repeat.
        """
        if self._broken:
            return
        self.collect()
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=_HAND_OVER_S)

    def start(self, names: Iterable[str]) -> None:
        """Start the upload of finished files of the folder, beside those of the segments."""
        for name in names:
            self._begin(self._upload(name))

    async def publish(self, names: Iterable[str]) -> None:
        """Upload files of the folder one after another, in that order.

        Call it when every segment upload has ended well, with the master playlist's name last.
        """
        for name in names:
            await self._upload(name)

    def _begin(self, upload: Coroutine[Any, Any, None]) -> None:
        task = self._group.create_task(upload)
        self._under_way.add(task)
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._broken = self._broken or task.cancelled() or task.exception() is not None

    async def _upload_segment(self, rendition: str, number: int) -> None:
        init = find_init(self._folder / rendition) if number == 0 else None
        if init is not None:
            await self._upload(f"{rendition}/{init.name}")
        await self._upload(f"{rendition}/{segment_name(number, self._renditions[rendition])}")
        self._on_stored(rendition, number)

    async def _upload(self, name: str) -> None:
        path = self._folder / name
        async with self._free:
            size_bytes = await self._storage.upload(
                path, self._prefix + name, CONTENT_TYPES[path.suffix]
            )
        self._sizes[name] = size_bytes


async def withdraw(storage: ObjectStore, prefix: str) -> None:
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
