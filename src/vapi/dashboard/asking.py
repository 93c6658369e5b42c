"""What every JSON route of the dashboard does: find the queue, bound the wait, refuse in words."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

import orjson
from starlette.requests import Request
from starlette.responses import Response

from vapi.problems import Problem
from vapi.services import answer_deadline, answer_of, services_of
from vqueue import InvalidOption, JobNotFound, JobNotInState, Queue


@asynccontextmanager
async def asked_queue(request: Request) -> AsyncIterator[Queue]:
    """Give the queue that the path names; the calls inside share a deadline.

    What the queue refuses becomes a problem: 404 for a job or a queue that there is not, 409 for
    a job in another state, 400 for a name or cursor that is none, 503 at the deadline (the
    outcome of a call that was under way is unknown then).
    """
    queues = services_of(request).dashboard_queues
    name = request.path_params["queue"]
    if name not in queues:
        raise Problem(
            HTTPStatus.NOT_FOUND,
            f"The dashboard does not show a queue {name}: VAPI_DASHBOARD_QUEUES names "
            f"{', '.join(queues)}.",
        )
    try:
        async with answer_of("Redis", answer_deadline()):
            yield queues[name]
    except JobNotFound as error:
        raise Problem(HTTPStatus.NOT_FOUND, f"{error}.") from error
    except JobNotInState as error:
        raise Problem(HTTPStatus.CONFLICT, f"{error}.") from error
    except InvalidOption as error:
        raise Problem(HTTPStatus.BAD_REQUEST, f"{error}.") from error


def whole_number(request: Request, name: str, *, default: int, low: int, high: int) -> int:
    """Return a number of the query string. Raises the 400 problem for what is none in range."""
    text = request.query_params.get(name)
    if text is None:
        return default
    # int() of a long text takes its time
    if text.isascii() and text.isdecimal() and len(text) < 10 and low <= int(text) <= high:
        return int(text)
    raise Problem(
        HTTPStatus.BAD_REQUEST, f"{name}={text[:40]} cannot be used: give {low} to {high}."
    )


def json_response(content: object) -> Response:
    """Return a JSON answer that nobody keeps: it is old in a second."""
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return Response(orjson.dumps(content), headers=headers, media_type="application/json")
