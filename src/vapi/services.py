"""What a request may use: the queue, the catalog, the storage and the live states.

The calls of one request to Redis and MongoDB share a deadline (`answer_deadline`), so that it
gets its 503 within a second however many requests wait for the same silent backend: the drivers'
own time-outs begin only when a call has got its thread or connection. The duties have connections
of their own, with more patience.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import cast

from redis.exceptions import RedisError
from starlette.requests import Request

from vapi.config import ApiSettings
from vapi.live import LiveStates
from vapi.problems import unavailable
from vqueue import Queue
from vworker.catalog import Catalog, open_client
from vworker.contract import QUEUE_NAME
from vworker.presence import Presence
from vworker.storage import Storage

logger = logging.getLogger(__name__)

#: Seconds that Redis and MongoDB may take for a request, all its calls together.
BACKEND_TIMEOUT = 0.7


def answer_deadline() -> float:
    """Return the loop's time at which a request that asks its first backend now gives up."""
    return asyncio.get_running_loop().time() + BACKEND_TIMEOUT


@asynccontextmanager
async def answer_of(backend: str, deadline: float) -> AsyncIterator[None]:
    """Cancel the calls inside at the deadline and raise the 503 problem of `backend`.

    A call that still waits for its turn is never made. The outcome of one that was under way is
    unknown.
    """
    try:
        async with asyncio.timeout_at(deadline):
            yield
    except TimeoutError as error:
        logger.warning("%s does not answer in time", backend, extra={"action": "unavailable"})
        raise unavailable(backend) from error


@dataclass(frozen=True, kw_only=True, slots=True)
class Services:
    """The parts of one running app; every one serves any number of requests at a time."""

    settings: ApiSettings
    queue: Queue
    catalog: Catalog
    presence: Presence
    storage: Storage
    live: LiveStates
    #: The queues that the dashboard shows, by name.
    dashboard_queues: Mapping[str, Queue]

    async def require_redis(self, deadline: float) -> None:
        """Return when Redis answers; raises the 503 problem when it does not, in time."""
        try:
            async with answer_of("Redis", deadline):
                await self.queue.ping()
        except (RedisError, OSError) as error:
            logger.warning("Redis does not answer: %s", error, extra={"action": "ping"})
            raise unavailable("Redis") from error


def services_of(request: Request) -> Services:
    """Return the services of the app that got a request."""
    return cast("Services", request.state.services)


@asynccontextmanager
async def open_services(settings: ApiSettings) -> AsyncIterator[Services]:
    """Open the services. No backend has to be there: the clients connect when they are used."""
    backends = settings.backends
    mongo = open_client(
        backends.mongodb_uri,
        server_selection_timeout=BACKEND_TIMEOUT,
        operation_timeout=BACKEND_TIMEOUT,
    )
    try:
        async with (
            Storage(backends.storage) as storage,
            Queue(QUEUE_NAME, backends.redis_url, repeat_for=BACKEND_TIMEOUT) as queue,
            _open_queues(settings) as dashboard_queues,
        ):
            yield Services(
                settings=settings,
                queue=queue,
                catalog=Catalog(mongo),
                presence=Presence(mongo),
                storage=storage,
                live=LiveStates(QUEUE_NAME, backends.redis_url),
                dashboard_queues=dashboard_queues,
            )
    finally:
        mongo.close()


@asynccontextmanager
async def _open_queues(settings: ApiSettings) -> AsyncIterator[Mapping[str, Queue]]:
    """Open the dashboard's queues on connections of their own: its looks delay no video."""
    redis_url = settings.backends.redis_url
    async with AsyncExitStack() as stack:
        yield {
            name: await stack.enter_async_context(
                Queue(name, redis_url, repeat_for=BACKEND_TIMEOUT)
            )
            for name in settings.dashboard.queues
        }
