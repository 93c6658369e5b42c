"""Every refusal and failure as problem+json (RFC 9457), without a word about the inside."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from pymongo.errors import PyMongoError
from redis.exceptions import RedisError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ExceptionHandler

from vqueue import QueueFull, QueueUnavailable
from vworker.catalog import InvalidCursor
from vworker.errors import InvalidPayload, StorageError

logger = logging.getLogger(__name__)

#: Seconds after which a client may try again while a backend is down.
RETRY_AFTER = 2


class Problem(Exception):
    """An answer that is no success; `detail` is a sentence for the user."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})
        #: Further members of the document.
        self.members = dict(members or {})

    def response(self) -> Response:
        """Return the problem document."""
        body = {"title": self.status.phrase, "status": self.status.value, "detail": self.detail}
        return Response(
            orjson.dumps(body | self.members),
            self.status,
            headers=self.headers,
            media_type="application/problem+json",
        )


def no_such_video(video_id: str) -> Problem:
    """Return the 404 problem of an unknown id."""
    return Problem(HTTPStatus.NOT_FOUND, f"There is no video {video_id}.")


def unavailable(backend: str) -> Problem:
    """Return the 503 problem of a backend that does not answer."""
    return Problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        f"{backend} is not reachable at the moment. Try again in a few seconds.",
        headers={"Retry-After": str(RETRY_AFTER)},
    )


async def _answer_problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101 - registered for it
    return error.response()


async def _answer_invalid(_: Request, error: Exception) -> Response:
    return Problem(HTTPStatus.BAD_REQUEST, f"{error}".removesuffix(".") + ".").response()


async def _answer_unavailable(_: Request, error: Exception) -> Response:
    if isinstance(error, PyMongoError):
        backend = "MongoDB"
    elif isinstance(error, StorageError):
        backend = "S3"
    else:
        backend = "Redis"
    logger.warning("%s: %s", backend, error, extra={"action": "unavailable"})
    return unavailable(backend).response()


async def _answer_http_error(request: Request, error: Exception) -> Response:
    """What the framework itself refuses: unknown paths and methods."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it
    status = HTTPStatus(error.status_code)
    details = {
        HTTPStatus.NOT_FOUND: "There is nothing at this path.",
        HTTPStatus.METHOD_NOT_ALLOWED: f"{request.method} is not possible here.",
    }
    detail = details.get(status, status.description)
    return Problem(status, detail, headers=error.headers).response()


async def _answer_disconnect(_: Request, error: Exception) -> Response:
    """The client went away in the middle of its body: nobody reads this answer."""
    logger.info("a client broke its request off", extra={"action": "disconnect"})
    return Response(status_code=HTTPStatus.BAD_REQUEST)


async def _answer_unexpected(_: Request, error: Exception) -> Response:
    """A bug; the framework raises it again after this answer, so that the server logs it."""
    return Problem(
        HTTPStatus.INTERNAL_SERVER_ERROR, "The request failed for a reason that is in the log."
    ).response()


HANDLERS: dict[Any, ExceptionHandler] = {
    Problem: _answer_problem,
    InvalidPayload: _answer_invalid,
    InvalidCursor: _answer_invalid,
    PyMongoError: _answer_unavailable,
    RedisError: _answer_unavailable,
    QueueUnavailable: _answer_unavailable,
    QueueFull: _answer_unavailable,
    StorageError: _answer_unavailable,
    HTTPException: _answer_http_error,
    ClientDisconnect: _answer_disconnect,
    Exception: _answer_unexpected,
}
