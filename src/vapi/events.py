"""Server-sent events of one video: its state now, then every change until the final one.

Progress is passed on from the queue's events; everything else is read from the video's document,
once that has caught up with the event, so that a client which then GETs the video sees the same.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from typing import Any

import orjson
from pymongo.errors import PyMongoError
from starlette.requests import Request
from starlette.responses import Response

from vapi.live import Notice
from vapi.problems import no_such_video
from vapi.representation import FINAL_STATUSES, state_json
from vapi.services import Services, answer_deadline, answer_of, services_of
from vapi.streaming import StreamedResponse
from vqueue import QueueUnavailable
from vqueue.states import FINAL_STATES
from vworker.catalog import Catalog, Document
from vworker.failure import read_failure

logger = logging.getLogger(__name__)

#: Seconds without a message after which a comment is sent, and the document is read again.
_KEEP_ALIVE = 15.0
#: Seconds that a document may take to catch up with an event.
_CATCH_UP = 2.0
_LOOK_AGAIN = 0.05

_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    # nginx would gather the messages otherwise
    "X-Accel-Buffering": "no",
}


async def video_events(request: Request) -> Response:
    """Stream the states of a video."""
    services = services_of(request)
    video_id = request.path_params["id"]
    deadline = answer_deadline()
    async with answer_of("MongoDB", deadline):
        document = await services.catalog.get(video_id)
    if document is None:
        raise no_such_video(video_id)
    if document["status"] not in FINAL_STATUSES:
        await services.require_redis(deadline)
    return StreamedResponse(_messages(services, document), headers=_HEADERS)


async def _messages(services: Services, document: Document) -> AsyncGenerator[bytes]:
    """Yield the messages of a stream; `document` is a first look at the video."""
    video_id = document["_id"]
    sent: dict[str, Any] = {}
    with services.live.subscribe(video_id) as subscription:
        document = await _look_again(services, document)
        while True:
            state = state_json(document)
            if state != sent:
                yield _message(state, sent)
                sent = state
            if document["status"] in FINAL_STATUSES:
                return
            try:
                async with asyncio.timeout(_KEEP_ALIVE):
                    notice = await subscription.take()
            except TimeoutError:
                yield b": keep-alive\n\n"
                notice = Notice(gap=True)
            if notice.closed:
                return
            if notice.gap:
                document = await _look_again(services, document)
            document = await _next_document(services.catalog, document, notice)


async def _look_again(services: Services, document: Document) -> Document:
    """Return the newest document when it is not known which events were missed.

    The document may lag behind events that came before the subscription. As long as the job
    is not final another event will come; when it is, none will, so the end is waited for.
    """
    video_id = document["_id"]
    try:
        job = await services.queue.get_job(video_id)
    except QueueUnavailable as error:
        logger.warning("events of video %s: %s", video_id, error)
        job = None
    ended = job is not None and job.state in FINAL_STATES
    stored = await _document_when(
        services.catalog,
        video_id,
        lambda stored: not ended or stored["status"] in FINAL_STATUSES,
    )
    if stored is None or stored["version"] < document["version"]:
        return document
    return stored


async def _next_document(catalog: Catalog, document: Document, notice: Notice) -> Document:
    """Return what is known of a video after a notice; never older than `document`."""
    if notice.changed_at > document["version"]:
        stored = await _document_when(
            catalog, document["_id"], lambda stored: stored["version"] >= notice.changed_at
        )
        if stored is not None and stored["version"] > document["version"]:
            document = stored
    final = notice.final
    if final is not None and final.version > document["version"]:
        logger.warning(
            "the document of video %s lags behind its end",
            document["_id"],
            extra={"action": "events", "job_id": document["_id"]},
        )
        failed = final.name == "failed"
        return {
            **document,
            "status": final.name,
            "progress": document.get("progress") if failed else 100,
            "attempts": final.data["attempts_made"],
            "error": read_failure(final.data["failed_reason"] or "") if failed else None,
            "version": final.version,
        }
    if notice.progress_at > max(document["version"], notice.changed_at):
        return {
            **document,
            "status": "processing",
            "progress": notice.progress,
            "version": notice.progress_at,
        }
    return document


async def _document_when(
    catalog: Catalog, video_id: str, condition: Callable[[Document], bool]
) -> Document | None:
    """Read a document that fulfils a condition, or what there is when that takes too long."""
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + _CATCH_UP
    while True:
        try:
            document = await catalog.get(video_id)
        except PyMongoError as error:
            logger.warning("events of video %s: %s", video_id, error)
            document = None
        if document is not None and condition(document):
            return document
        if loop.time() >= give_up_at:
            return document
        await asyncio.sleep(_LOOK_AGAIN)


def _message(state: dict[str, Any], sent: dict[str, Any]) -> bytes:
    """Write one message: a `progress` when nothing else has changed since `sent`."""
    changed = {name for name in state if state[name] != sent.get(name)}
    name = b"progress" if changed == {"progress"} else b"status"
    return b"event: " + name + b"\ndata: " + orjson.dumps(state) + b"\n\n"
