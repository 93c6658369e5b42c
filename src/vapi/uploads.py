"""Bodies of requests: JSON of limited size, and videos on their way to S3 in bounded memory."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from http import HTTPStatus

import orjson
from starlette.requests import ClientDisconnect, Request

from vapi.problems import Problem
from vworker.errors import UploadTooLarge
from vworker.storage import Storage

logger = logging.getLogger(__name__)

_MAX_JSON_BYTES = 64 * 1024


def media_type_of(request: Request) -> str:
    """Return the body's media type in lower case, without parameters; "" when there is none."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def read_json(request: Request) -> object:
    """Return the decoded body. Raises the 400 and 413 problems."""
    _refuse_length_above(request, _MAX_JSON_BYTES)
    body = bytearray()
    async with aclosing(request.stream()) as stream:
        async for chunk in stream:
            body += chunk
            if len(body) > _MAX_JSON_BYTES:
                raise _too_large(_MAX_JSON_BYTES)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Problem(HTTPStatus.BAD_REQUEST, f"The body is not JSON: {error}.") from error


async def store_video(request: Request, storage: Storage, key: str, *, max_bytes: int) -> None:
    """Stream the body to S3: all of it, or nothing is left there.

    Raises the problems of an empty body (400), one that breaks off (400) or is too large (413),
    and StorageUnavailable.
    """
    _refuse_length_above(request, max_bytes)
    try:
        async with aclosing(request.stream()) as stream:
            first = await _first_chunk(stream)
            if not first:
                raise Problem(HTTPStatus.BAD_REQUEST, "The body is empty: send a video file.")
            await storage.upload_stream(
                _put_before(first, stream), key, media_type_of(request), max_bytes=max_bytes
            )
    except UploadTooLarge as error:
        raise _too_large(max_bytes) from error
    except ClientDisconnect as error:
        logger.info("upload of %s broke off: nothing is kept", key, extra={"action": "upload"})
        raise Problem(HTTPStatus.BAD_REQUEST, "The body broke off.") from error


async def _first_chunk(stream: AsyncIterator[bytes]) -> bytes:
    async for chunk in stream:
        if chunk:
            return chunk
    return b""


async def _put_before(first: bytes, rest: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk


def _refuse_length_above(request: Request, limit: int) -> None:
    """Refuse a body by its announced length, before any of it is read."""
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdecimal() and int(length) > limit:
        raise _too_large(limit)


def _too_large(limit: int) -> Problem:
    return Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"The body has more than the {limit} bytes that are taken here.",
    )
