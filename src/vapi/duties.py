"""What an API process does beside its requests, as long as it lives."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pymongo.errors import PyMongoError

from vapi.services import Services
from vqueue import Queue
from vqueue.duties import run_duty
from vqueue.mirror import MongoMirror
from vworker.catalog import Catalog, open_client, project
from vworker.contract import QUEUE_NAME
from vworker.redrive import Redriver

logger = logging.getLogger(__name__)

#: Seconds between two tries while MongoDB is away.
_PAUSE = 1.0


@asynccontextmanager
async def running_duties(services: Services) -> AsyncIterator[None]:
    """Run the mirror, the re-driver and the live states until the context ends."""
    backends = services.settings.backends
    mongo = open_client(backends.mongodb_uri, server_selection_timeout=5.0)
    catalog = Catalog(mongo)
    mirror = MongoMirror(QUEUE_NAME, backends.redis_url, catalog.collection, project=project)
    try:
        async with Queue(QUEUE_NAME, backends.redis_url) as queue, asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(services.live.run()),
                group.create_task(mirror.run()),
                group.create_task(run_duty(Redriver(queue, catalog, mirror))),
                group.create_task(_ensure_indexes(catalog)),
            ]
            yield
            for task in tasks:
                task.cancel()
    finally:
        mongo.close()


async def _ensure_indexes(catalog: Catalog) -> None:
    """Make sure of the indexes that the routes need, as soon as MongoDB is there."""
    while True:
        try:
            await catalog.ensure_indexes()
        except PyMongoError as error:
            logger.warning("waiting for MongoDB: %s", error, extra={"action": "wait"})
            await asyncio.sleep(_PAUSE)
        else:
            return
