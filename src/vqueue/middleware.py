"""Middleware: functions around every handler of a worker."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from vqueue.attempt import Handler
from vqueue.job import Job

#: Gets the job and what comes next: the following middleware, or the handler. What it returns
#: is the result; what it raises ends the attempt, as if the handler had.
Middleware = Callable[[Job, Handler], Awaitable[Any]]


def with_middleware(handler: Handler, middleware: Sequence[Middleware]) -> Handler:
    """Return a handler that passes through the middleware, the first one outermost."""
    for one in reversed(middleware):
        handler = partial(_pass, one, handler)
    return handler


def _pass(one: Middleware, following: Handler, job: Job) -> Awaitable[Any]:
    return one(job, following)
