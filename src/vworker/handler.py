"""The queue's handler: one job of `video-transcode` is one attempt of the pipeline."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace
from typing import Any

from vqueue import Job, UnrecoverableError
from vworker.contract import TranscodeRequest, output_prefix, upload_key
from vworker.errors import ERRORS, InvalidPayload, StorageError, TranscodeError
from vworker.failure import failure_text
from vworker.leftovers import remove_leftovers
from vworker.media.settings import MediaSettings
from vworker.pipeline import transcode
from vworker.resumption import may_go_on
from vworker.storage import Storage
from vworker.workspace import Workspace

logger = logging.getLogger(__name__)

_DISCARD_TIMEOUT_S = 30.0


class RetryableFailure(Exception):
    """An attempt failed for a reason that another attempt may not meet."""


class TranscodeHandler:
    """Runs the pipeline for a job and tells the queue how it ended."""

    def __init__(self, *, storage: Storage, workspace: Workspace, media: MediaSettings) -> None:
        self._storage = storage
        self._workspace = workspace
        self._media = media

    async def __call__(self, job: Job) -> dict[str, Any]:
        """Return the result as JSON.

        Raises UnrecoverableError for failures that would come again, RetryableFailure for
        others; `vworker.failure` says how their text reaches the user.
        """
        started = time.monotonic()
        try:
            request = TranscodeRequest.from_json(job.data)
        except InvalidPayload as error:
            raise _failure(job, error) from error

        async def tell_early(playlist: str | None) -> None:
            nonlocal request
            request = replace(request, early_playlist=playlist)
            await job.update_data(request.to_json())

        prefix = output_prefix(request.video_id, str(job.fence), str(job.consumer))
        try:
            logger.info(
                "video %s: attempt %d starts under %s",
                request.video_id,
                job.attempts_started,
                prefix,
                extra={"action": "attempt", "job_id": job.id},
            )
            result = await transcode(
                request,
                prefix=prefix,
                storage=self._storage,
                workspace=self._workspace,
                report=job.update_progress,
                settings=self._media,
                resumable=True,
                tell_early=tell_early if self._media.early_playback else None,
            )
        except TranscodeError as error:
            if ERRORS[error.code].file_is_lost:
                await self._discard_upload(request)
            if not may_go_on(error) or job.attempts_made + 1 >= job.attempts:
                if request.early_playlist is not None:
                    # The API then sends nobody to what has gone.
                    await tell_early(None)
                await remove_leftovers(
                    self._storage,
                    request.video_id,
                    before=job.fence or 0,
                    own=prefix,
                    published=False,
                )
            raise _failure(job, error) from error
        await remove_leftovers(
            self._storage,
            request.video_id,
            before=job.fence or 0,
            own=prefix,
            published=True,
        )
        logger.info(
            "video %s: %d renditions in %.1f s",
            request.video_id,
            len(result.renditions),
            time.monotonic() - started,
            extra={"action": "transcoded", "job_id": job.id},
        )
        return result.to_json()

    async def _discard_upload(self, request: TranscodeRequest) -> None:
        """Delete a source that nobody can ever transcode, if it came through the API.

        Any other source is somebody else's. A failure here does not hide the video's own.
        """
        if request.source != upload_key(request.video_id):
            return
        try:
            async with asyncio.timeout(_DISCARD_TIMEOUT_S):
                await self._storage.delete(request.source)
        except (StorageError, TimeoutError) as error:
            logger.warning(
                "video %s: its upload stays in S3: %s",
                request.video_id,
                error or "no answer in time",
                extra={"action": "discard_upload", "job_id": request.video_id},
            )


def _failure(job: Job, error: TranscodeError) -> Exception:
    """Log a failed attempt; return what tells the queue whether to try again."""
    logger.warning(
        "video %s: %s (%s): %s %s%s",
        job.id,
        error.code,
        "retryable" if error.retryable else "final",
        error,
        ERRORS[error.code].remedy,
        "".join(f"\n  {line}" for line in error.detail),
        extra={"action": "attempt_failed", "job_id": job.id, "code": str(error.code)},
    )
    failure = RetryableFailure if error.retryable else UnrecoverableError
    return failure(failure_text(error))
