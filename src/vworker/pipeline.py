"""One attempt of one job: download → probe → plan → encode and upload → publish → clean up.

Whatever happens, cancellation included: FFmpeg is gone, the scratch folder is removed, and unless
the result is returned, no object of this attempt stays in S3, but for segments that another attempt
can go on from, if the caller wants them. Knows nothing of the queue: the caller gives a prefix that
is this attempt's alone, cancels the call when the lease is lost, and gets typed errors that say
whether another attempt makes sense.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from vworker.contract import TranscodeRequest, TranscodeResult
from vworker.disk_watch import watched_disk
from vworker.early import EarlyPlayback, Tell
from vworker.errors import ErrorCode, ObjectNotFound, StorageError, TranscodeError
from vworker.media.encode import encode
from vworker.media.encoding import Encoding
from vworker.media.ffmpeg import prepare_folders
from vworker.media.length import measure_length
from vworker.media.loudness import measure_loudness
from vworker.media.output import measure_output
from vworker.media.plan import SOURCE_NAME, EncodePlan, make_plan
from vworker.media.probe import probe
from vworker.media.progress import Progress
from vworker.media.seam import Seam
from vworker.media.settings import MediaSettings
from vworker.media.sounds import sounds_begin
from vworker.media.source import SourceInfo
from vworker.media.stills import make_stills
from vworker.media.subtitles import write_subtitles
from vworker.meter import Meter, Phase, Report
from vworker.object_store import ObjectInfo, ObjectStore
from vworker.publisher import Publisher, withdraw
from vworker.result import describe, write_playlists
from vworker.resumption import leave_state, may_go_on, state_of, take_over
from vworker.stopwatch import Stopwatch
from vworker.tasks import task_group
from vworker.verification import verify
from vworker.workspace import Workspace

logger = logging.getLogger(__name__)


async def transcode(
    request: TranscodeRequest,
    *,
    prefix: str,
    storage: ObjectStore,
    workspace: Workspace,
    report: Report,
    settings: MediaSettings,
    resumable: bool = False,
    tell_early: Tell | None = None,
) -> TranscodeResult:
    """Transcode one video; everything that the result names is in S3 when it is returned.

    `prefix` ends in "/" and belongs to this attempt alone (`contract.output_prefix`). `report`
    gets percents that never fall; 100 comes last, after the master playlist is published. What it
    raises ends the attempt and is passed on. Safe to repeat under another prefix.

    A `resumable` attempt goes on from what earlier ones have left under their prefixes beside it,
    and leaves what it has finished when it ends half way (`vworker.resumption`). `tell_early` is
    told the key of a playlist with which the video can be played from then on (`vworker.early`).

    Raises `TranscodeError`, whose `retryable` says whether another attempt can succeed.
    """
    attempt = _Attempt(
        request=request,
        prefix=prefix,
        storage=storage,
        workspace=workspace,
        meter=Meter(report),
        settings=settings,
        resumable=resumable,
        tell_early=tell_early,
    )
    try:
        async with workspace.attempt() as scratch, task_group() as group:
            group.create_task(attempt.meter.relay())
            result = await attempt.run(scratch)
            attempt.meter.finish()
        await report(100)
    except BaseException as error:
        if not (resumable and may_go_on(error)):
            await withdraw(storage, prefix)
        raise
    return result


@dataclass(frozen=True, kw_only=True, slots=True)
class _Attempt:
    request: TranscodeRequest
    prefix: str
    storage: ObjectStore
    workspace: Workspace
    meter: Meter
    settings: MediaSettings
    resumable: bool
    tell_early: Tell | None
    watch: Stopwatch = field(default_factory=Stopwatch)

    async def run(self, scratch: Path) -> TranscodeResult:
        source = scratch / SOURCE_NAME
        encoding = self.settings.encoding_of(self.request.profile)
        with self._told_in_words():
            with self.watch.lap("download"):
                found = await self._download(source)
            async with watched_disk(self.workspace, self.settings.disk_floor_bytes):
                with self.watch.lap("probe"):
                    info = await probe(source, self.settings)
                    info = await measure_length(source, info, self.settings)
                plan = self._plan(scratch, info, encoding)
                await asyncio.to_thread(prepare_folders, plan)
                seam = await self._take_over(plan, found) if self.resumable else None
                return await self._encode_and_publish(plan, found.size_bytes, seam)

    async def _download(self, path: Path) -> ObjectInfo:
        try:
            found = await self.storage.head(self.request.source)
        except ObjectNotFound as error:
            # A missing bucket looks the same, and is no fault of the video.
            await self.storage.ready()
            raise TranscodeError(
                ErrorCode.SOURCE_NOT_FOUND,
                f"There is no file {self.request.source!r} in the storage.",
            ) from error
        if found.size_bytes == 0:
            raise TranscodeError(ErrorCode.SOURCE_EMPTY, "The video file is empty (0 bytes).")
        needed = found.size_bytes + self.settings.disk_reserve_bytes
        free = self.workspace.free_bytes()
        if free < needed:
            raise TranscodeError(
                ErrorCode.DISK_FULL,
                f"The worker's disk has {free} bytes free, and this video needs {needed}.",
            )
        await self.storage.download(
            found,
            path,
            on_bytes=lambda done: self.meter.advance(Phase.DOWNLOAD, done / found.size_bytes),
        )
        return found

    def _plan(self, scratch: Path, info: SourceInfo, encoding: Encoding) -> EncodePlan:
        plan = make_plan(scratch, info, encoding)
        logger.info(
            "video %s: %s %dx%d to %s",
            self.request.video_id,
            info.video.codec,
            info.video.width,
            info.video.height,
            ", ".join(plan.names),
            extra={"action": "plan", "job_id": self.request.video_id},
        )
        return plan

    async def _take_over(self, plan: EncodePlan, source: ObjectInfo) -> Seam | None:
        """Bring what earlier attempts have finished; say what this one is about to make."""
        state = state_of(plan, self.settings, source_etag=source.etag, profile=self.request.profile)
        kept = await take_over(self.storage, self.prefix, plan, state, self.settings)
        await leave_state(self.storage, self.prefix, plan.scratch, state)
        return None if kept is None else Seam(plan, kept)

    async def _encode_and_publish(
        self, plan: EncodePlan, source_bytes: int, seam: Seam | None
    ) -> TranscodeResult:
        async with self._early_playback(plan, seam) as on_stored, task_group() as uploads:
            publisher = Publisher(
                storage=self.storage,
                prefix=self.prefix,
                folder=plan.output,
                renditions=plan.segment_types,
                sounds=tuple(sound.folder for sound in plan.sounds),
                sounds_begin=lambda: sounds_begin(plan),
                group=uploads,
                uploads_at_once=self.settings.uploads_at_once,
                seam=seam,
                on_stored=on_stored,
            )
            async with self._handing_over(publisher):
                with self.watch.lap("encode"):
                    last_lines = await self._encode(plan, seam, publisher)
                encoded = time.perf_counter()
                # Before anybody reads them: behind a seam it changes them.
                publisher.collect()
                told_s = 1 if self.tell_early is None else plan.target_duration_s
                measured = await asyncio.to_thread(
                    measure_output, plan, last_lines, least_target_s=told_s
                )
                self.meter.advance(Phase.PUBLISH, 0)
                stills = await make_stills(plan, measured, self.settings)
                pictures = measured[plan.rungs[0].name]
                subtitles = await asyncio.to_thread(write_subtitles, plan, pictures)
                publisher.start(name for files in subtitles for name in files.names)
                playlists = await asyncio.to_thread(write_playlists, plan, measured, subtitles)
                await asyncio.to_thread(verify, plan, measured)
        await publisher.publish([*stills, *playlists])
        self.meter.advance(Phase.PUBLISH, 1)
        self.watch.laps["publish"] = time.perf_counter() - encoded
        return describe(
            plan,
            measured,
            subtitles,
            prefix=self.prefix,
            source_bytes=source_bytes,
            published_bytes=publisher.published_bytes,
            timings=self.watch.timings(),
        )

    @asynccontextmanager
    async def _early_playback(
        self, plan: EncodePlan, seam: Seam | None
    ) -> AsyncIterator[Callable[[str, int], None]]:
        """Let the video be played while the block runs, if asked to; give what to tell of segments.

        Those in front of a seam are told of already.
        """
        if self.tell_early is None:
            yield lambda name, number: None
            return
        early = EarlyPlayback(plan, self.storage, self.prefix, self.tell_early)
        for rung in plan.rungs:
            for number in range(seam.first_number(rung.name) if seam else 0):
                early.stored(rung.name, number)
        async with task_group() as group:
            playing = group.create_task(early.run())
            yield early.stored
            playing.cancel()

    @asynccontextmanager
    async def _handing_over(self, publisher: Publisher) -> AsyncIterator[None]:
        """Leave what is finished to the next attempt, when one can go on from there."""
        try:
            yield
        except BaseException as error:
            if self.resumable and may_go_on(error):
                await publisher.hand_over()
            raise

    async def _encode(
        self, plan: EncodePlan, seam: Seam | None, publisher: Publisher
    ) -> tuple[str, ...]:
        """Encode, and upload what is finished meanwhile; return FFmpeg's last lines."""
        duration_s = plan.duration_s or plan.info.container_duration_s

        def follow(progress: Progress) -> None:
            self.settings.source_limits.check_written(progress.written_s)
            self.meter.advance(Phase.ENCODE, progress.fraction_of(duration_s))
            # With the last block the last segments are there, behind which no pictures go on.
            if not progress.ended:
                publisher.collect_in_step()

        kept = None if seam is None else seam.kept
        loudness = await measure_loudness(plan, self.settings)
        outcome = await encode(plan, self.settings, follow, kept=kept, loudness=loudness)
        if outcome.sounds_made_anew:
            publisher.collect_again(sound.folder for sound in plan.sounds)
        return outcome.last_lines

    @contextmanager
    def _told_in_words(self) -> Iterator[None]:
        """Tell failures of storage and disk as the job's, in words for its user."""
        try:
            yield
        except StorageError as error:
            raise TranscodeError(
                ErrorCode.STORAGE_UNAVAILABLE,
                "The storage could not be reached or broke off.",
                detail=(str(error),),
            ) from error
        except OSError as error:
            if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
                raise
            raise TranscodeError(
                ErrorCode.DISK_FULL,
                "The worker's disk ran full.",
                detail=(str(error),),
            ) from error
