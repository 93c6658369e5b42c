"""Which workers there are, and what holds their FFmpeg back: one document per worker process.

Written by the workers, read by the API's `/healthz`. A worker that is gone is forgotten: on an
orderly end at once, after a crash when MongoDB's expiry finds that it has not been heard of.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from motor.motor_asyncio import AsyncIOMotorClient
from pymongo.errors import PyMongoError

from vworker.backends import DEFAULT_DATABASE

logger = logging.getLogger(__name__)

#: Seconds between two signs of life.
INTERVAL = 15.0
#: Seconds of silence after which a worker counts as gone.
_FORGOTTEN_AFTER = 60
#: Seconds that a start or an end waits for MongoDB.
_PATIENCE = 2.0
#: No more are told of.
_MOST = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerRecord:
    """What one worker process says of itself."""

    #: Its consumer's name in the queue.
    name: str
    #: `vworker.sandbox.Level` of its FFmpeg.
    sandbox: str
    #: Jobs at a time.
    concurrency: int


class Presence:
    """The collection `workers`; every method raises PyMongo's errors when MongoDB is away."""

    def __init__(self, client: AsyncIOMotorClient[dict[str, Any]]) -> None:
        self._workers = client.get_default_database(DEFAULT_DATABASE)["workers"]

    async def announce(self, record: WorkerRecord) -> None:
        """Say that a worker lives. Safe to repeat."""
        await self._workers.create_index("seen_at", expireAfterSeconds=_FORGOTTEN_AFTER)
        now = datetime.now(UTC)
        told = {
            "sandbox": record.sandbox,
            "concurrency": record.concurrency,
            "version": version("vqueue"),
            "seen_at": now,
        }
        await self._workers.update_one(
            {"_id": record.name}, {"$set": told, "$setOnInsert": {"started_at": now}}, upsert=True
        )

    async def leave(self, name: str) -> None:
        """Forget a worker. Safe to repeat."""
        await self._workers.delete_one({"_id": name})

    async def workers(self) -> list[dict[str, Any]]:
        """Return the documents of the workers, by name."""
        return [worker async for worker in self._workers.find().sort([("_id", 1)]).limit(_MOST)]


class SignsOfLife:
    """A duty for `vqueue.duties.run_duty`: announces one worker again and again."""

    interval = INTERVAL

    def __init__(self, presence: Presence, record: WorkerRecord) -> None:
        self._presence = presence
        self._record = record

    async def run_once(self) -> None:
        """Announce it once."""
        await self._presence.announce(self._record)

    @asynccontextmanager
    async def shown(self) -> AsyncIterator[None]:
        """Have the worker known inside the context, as far as MongoDB can be reached."""
        await self._try(self._presence.announce(self._record))
        try:
            yield
        finally:
            await self._try(self._presence.leave(self._record.name))

    async def _try(self, call: Awaitable[None]) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                await call
        except (PyMongoError, TimeoutError) as error:
            logger.warning(
                "the record of worker %s was not written: %s",
                self._record.name,
                error or "no answer in time",
                extra={"action": "presence"},
            )
