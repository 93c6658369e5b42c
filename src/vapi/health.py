"""Health for orchestrators: does the process live, and can it serve?"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from http import HTTPStatus
from importlib.metadata import version

from pymongo.errors import PyMongoError
from redis.exceptions import RedisError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from vapi.problems import RETRY_AFTER, Problem
from vapi.representation import utc_text
from vapi.services import answer_deadline, answer_of, services_of
from vworker.errors import StorageError

logger = logging.getLogger(__name__)

#: Seconds that each of them may take.
_CHECK_TIMEOUT = 0.8


async def livez(_: Request) -> Response:
    """Answer 200: the event loop turns."""
    return JSONResponse({"status": "live"})


async def readyz(request: Request) -> Response:
    """Ask Redis, MongoDB and S3 at the same time: 200, or 503 that says which one is down."""
    services = services_of(request)
    async with asyncio.TaskGroup() as group:
        checks = {
            "redis": group.create_task(_check("Redis", services.queue.ping())),
            "mongodb": group.create_task(_check("MongoDB", services.catalog.ready())),
            "s3": group.create_task(_check("S3", services.storage.ready())),
        }
    states = {name: check.result() for name, check in checks.items()}
    down = [name for name, state in states.items() if state == "down"]
    if down:
        raise Problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            f"Not ready: {', '.join(down)} down.",
            headers={"Retry-After": str(RETRY_AFTER)},
            members={"checks": states},
        )
    return JSONResponse({"status": "ready", "checks": states})


async def healthz(request: Request) -> Response:
    """Tell of the versions that run here, and of the workers and their sandboxes."""
    async with answer_of("MongoDB", answer_deadline()):
        workers = await services_of(request).presence.workers()
    return JSONResponse(
        {
            "version": version("vqueue"),
            "workers": [
                {
                    "name": worker["_id"],
                    "sandbox": worker["sandbox"],
                    "concurrency": worker["concurrency"],
                    "version": worker["version"],
                    "started_at": utc_text(worker["started_at"]),
                    "seen_at": utc_text(worker["seen_at"]),
                }
                for worker in workers
            ],
        }
    )


async def _check(name: str, answer: Awaitable[None]) -> str:
    try:
        async with asyncio.timeout(_CHECK_TIMEOUT):
            await answer
    # a TimeoutError is an OSError, and has no text
    except (RedisError, OSError, PyMongoError, StorageError) as error:
        logger.warning("not ready, %s: %r", name, error, extra={"action": "readyz"})
        return "down"
    return "up"
