"""Playback: the objects of a completed video's output, for players on any site.

Only what lies under the prefix that the video's document names is served, so an attempt that was
not committed can never be played, unless the workers let videos be played early. The objects under
a prefix do not change, but for the playlists of a video that is played early.
"""

from __future__ import annotations

import asyncio
import re
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vapi.problems import Problem, no_such_video, unavailable
from vapi.representation import output_prefix_of
from vapi.services import answer_deadline, answer_of, services_of
from vapi.streaming import StreamedResponse
from vworker.contract import PLAYLIST_CONTENT_TYPE
from vworker.errors import ObjectNotFound, RangeNotSatisfiable
from vworker.storage import ObjectStream, Storage

#: Seconds that S3 may take until it begins to answer.
_OPEN_TIMEOUT = 5.0

#: One range, as players ask for it. RFC 9110 (14.2) lets a server ignore others: the answer is
#: then the whole object, and nobody can have it cut into a thousand pieces.
_ONE_RANGE = re.compile(r"bytes=(\d{1,18}-\d{0,18}|-\d{1,18})")

_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Content-Length, Content-Range, ETag, Accept-Ranges",
}
_PREFLIGHT = {
    **_CORS,
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
    "Access-Control-Allow-Headers": "Range, If-None-Match, If-Range",
    "Access-Control-Max-Age": "86400",
}


class OpenToAllSites:
    """Adds the CORS headers to every answer, errors too, and answers OPTIONS.

    To every answer, not only to requests with an Origin: a shared cache may give it to others.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["method"] == "OPTIONS":
            await Response(status_code=HTTPStatus.NO_CONTENT, headers=_PREFLIGHT)(
                scope, receive, send
            )
            return

        async def send_with_cors(message: Message) -> None:
            if message["type"] == "http.response.start":
                cors = [(name.lower().encode(), value.encode()) for name, value in _CORS.items()]
                message = {**message, "headers": [*message.get("headers", ()), *cors]}
            await send(message)

        await self._app(scope, receive, send_with_cors)


async def play(request: Request) -> Response:
    """Stream one object of a video's output, or a range of it."""
    services = services_of(request)
    video_id, path = request.path_params["id"], request.path_params["path"]
    async with answer_of("MongoDB", answer_deadline()):
        document = await services.catalog.get(video_id)
    if document is None:
        raise no_such_video(video_id)
    prefix = output_prefix_of(document)
    if prefix is None:
        raise Problem(
            HTTPStatus.NOT_FOUND,
            f"Video {video_id} is {document['status']}: there is nothing to play yet.",
        )
    if any(part in {"", ".", ".."} for part in path.split("/")) or not path.isprintable():
        raise _no_such_object(video_id, path)
    try:
        async with asyncio.timeout(_OPEN_TIMEOUT):
            stream = await _open(request, services.storage, prefix + path)
    except ObjectNotFound as error:
        raise _no_such_object(video_id, path) from error
    except TimeoutError as error:
        raise unavailable("S3") from error
    except RangeNotSatisfiable as error:
        raise await _range_problem(services.storage, prefix + path) from error
    validators = _validators(stream, completed=document["status"] == "completed")
    if _names(request.headers.get("if-none-match"), stream.etag):
        await stream.aclose()
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=validators)
    headers = {
        **validators,
        "Content-Type": stream.content_type,
        "Content-Length": str(stream.size_bytes),
        "Accept-Ranges": "bytes",
        "X-Content-Type-Options": "nosniff",
    }
    if stream.content_range is None:
        return StreamedResponse(stream, headers=headers)
    headers["Content-Range"] = stream.content_range
    return StreamedResponse(stream, status_code=HTTPStatus.PARTIAL_CONTENT, headers=headers)


async def _open(request: Request, storage: Storage, key: str) -> ObjectStream:
    byte_range = request.headers.get("range", "")
    # a HEAD tells of the whole object
    if request.method != "GET" or _ONE_RANGE.fullmatch(byte_range) is None:
        return await storage.open(key)
    if_range = request.headers.get("if-range")
    if if_range is not None and if_range != (await storage.head(key)).etag:
        return await storage.open(key)
    return await storage.open(key, byte_range)


def _validators(stream: ObjectStream, *, completed: bool) -> dict[str, str]:
    # the URL of a video's playlist would stay if the video were ever transcoded again, and what is
    # played early may fail its check: another attempt's segments then have the same URLs
    lasting = completed and stream.content_type != PLAYLIST_CONTENT_TYPE
    return {
        "ETag": stream.etag,
        "Cache-Control": "public, max-age=86400" if lasting else "no-cache",
    }


def _names(if_none_match: str | None, etag: str) -> bool:
    """Compare weakly, as RFC 9110 (13.1.2) asks for."""
    tags = [tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")]
    return "*" in tags or etag.removeprefix("W/") in tags


def _no_such_object(video_id: str, path: str) -> Problem:
    return Problem(HTTPStatus.NOT_FOUND, f"Video {video_id} has no file {path}.")


async def _range_problem(storage: Storage, key: str) -> Problem:
    size_bytes = (await storage.head(key)).size_bytes
    return Problem(
        HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
        f"The file has {size_bytes} bytes.",
        headers={"Content-Range": f"bytes */{size_bytes}"},
    )
