"""The videos: taking one, telling of one, listing them."""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus
from typing import Any

import orjson
from pymongo.errors import PyMongoError
from starlette.requests import Request
from starlette.responses import Response

from vapi.problems import Problem, no_such_video
from vapi.representation import video_json, video_path
from vapi.services import Services, answer_deadline, answer_of, services_of
from vapi.uploads import media_type_of, read_json, store_video
from vqueue import QueueFull, QueueUnavailable
from vqueue.job_ids import new_job_id
from vworker.catalog import STATUSES, new_document
from vworker.contract import JOB_NAME, TranscodeRequest, upload_key
from vworker.errors import StorageError
from vworker.fields import Fields
from vworker.job_options import job_options

logger = logging.getLogger(__name__)

_DEFAULT_LIMIT, _MAX_LIMIT = 20, 100


async def create_video(request: Request) -> Response:
    """Take a video: a JSON object that names an S3 key, or the video itself as the body."""
    services = services_of(request)
    video_id = new_job_id()
    media_type = media_type_of(request)
    if media_type == "application/json":
        fields = Fields("request", await read_json(request))
        fields.only({"source", "profile"})
        profile = fields.text("profile") if fields.has("profile") else None
        job = TranscodeRequest(video_id=video_id, source=fields.text("source"), profile=profile)
        deadline = answer_deadline()
        await services.require_redis(deadline)
        document = await _record(services, job, deadline)
    elif media_type.startswith("video/") or media_type == "application/octet-stream":
        profile = request.query_params.get("profile")
        job = TranscodeRequest(video_id=video_id, source=upload_key(video_id), profile=profile)
        # before gigabytes are sent in vain
        await _require_backends(services)
        await store_video(
            request, services.storage, job.source, max_bytes=services.settings.max_upload_bytes
        )
        deadline = answer_deadline()
        document = await _record_upload(services, job, deadline)
    else:
        raise Problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"A body of type {media_type or 'none'} is not taken: send application/json "
            'with {"source": "<S3 key>"}, or a video as video/* or application/octet-stream.',
        )
    await _queue(services, job, deadline)
    return _json(
        video_json(document), HTTPStatus.CREATED, headers={"Location": video_path(video_id)}
    )


async def get_video(request: Request) -> Response:
    """Tell everything of one video; needs nothing but MongoDB."""
    video_id = request.path_params["id"]
    async with answer_of("MongoDB", answer_deadline()):
        document = await services_of(request).catalog.get(video_id)
    if document is None:
        raise no_such_video(video_id)
    return _json(video_json(document))


async def list_videos(request: Request) -> Response:
    """Tell of the videos, newest first, a page at a time."""
    query = request.query_params
    status = query.get("status")
    if status is not None and status not in STATUSES:
        raise Problem(
            HTTPStatus.BAD_REQUEST, f"status={status} is none: choose {', '.join(STATUSES)}."
        )
    limit = _limit(query.get("limit"))
    async with answer_of("MongoDB", answer_deadline()):
        page = await services_of(request).catalog.page(
            status=status, limit=limit, after=query.get("after")
        )
    return _json({"videos": [video_json(video) for video in page.videos], "next": page.next})


def _limit(text: str | None) -> int:
    if text is None:
        return _DEFAULT_LIMIT
    if text.isascii() and text.isdecimal() and 1 <= int(text) <= _MAX_LIMIT:
        return int(text)
    raise Problem(HTTPStatus.BAD_REQUEST, f"limit={text} cannot be used: give 1 to {_MAX_LIMIT}.")


async def _require_backends(services: Services) -> None:
    deadline = answer_deadline()
    await services.require_redis(deadline)
    async with answer_of("MongoDB", deadline):
        await services.catalog.ready()
    await services.storage.ready()


async def _record(services: Services, job: TranscodeRequest, deadline: float) -> dict[str, Any]:
    """Put the video into MongoDB: from here on it is accepted and cannot be lost.

    Raises the 503 problem at the deadline; then the video may be accepted all the same.
    """
    document = new_document(job.video_id, job.source, job.profile)
    async with answer_of("MongoDB", deadline):
        await services.catalog.insert(document)
    logger.info(
        "video %s accepted, its source is %s",
        job.video_id,
        job.source,
        extra={"action": "accept", "job_id": job.video_id},
    )
    return document


async def _record_upload(
    services: Services, job: TranscodeRequest, deadline: float
) -> dict[str, Any]:
    """Record an uploaded video; its object goes when that fails, for the client hears of it."""
    try:
        return await _record(services, job, deadline)
    except (PyMongoError, Problem):
        try:
            await services.storage.delete_prefix(job.source)
        except StorageError as error:
            logger.warning("the upload of a video that was not recorded stays: %s", error)
        raise


async def _queue(services: Services, job: TranscodeRequest, deadline: float) -> None:
    """Add the job; when that fails or takes too long, the re-driver adds it later."""
    try:
        async with asyncio.timeout_at(deadline):
            await services.queue.add(JOB_NAME, job.to_json(), job_id=job.video_id, **job_options())
    except (QueueUnavailable, QueueFull, TimeoutError) as error:
        logger.warning(
            "video %s is recorded but not queued yet: %r",
            job.video_id,
            error,
            extra={"action": "add", "job_id": job.video_id},
        )


def _json(
    content: object, status: HTTPStatus = HTTPStatus.OK, headers: dict[str, str] | None = None
) -> Response:
    return Response(orjson.dumps(content), status, headers, media_type="application/json")
