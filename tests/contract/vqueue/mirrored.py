"""A queue and the collection that mirrors it, for the tests of MongoMirror."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from motor.motor_asyncio import AsyncIOMotorClient

from tests.support.driver import Driver
from tests.support.waiting import until
from vqueue import Queue
from vqueue.mirror import STATUS_OF_STATE, MongoMirror
from vqueue.states import JobState

Document = dict[str, Any]


class Mirrored:
    """One queue with its documents; mirrors are started and ended by the test."""

    def __init__(self, redis_url: str, queue_name: str, mongodb_uri: str) -> None:
        self.redis_url = redis_url
        self.queue_name = queue_name
        self.driver = Driver(redis_url, queue_name)
        self.queue = Queue(queue_name, redis_url)
        self._client: AsyncIOMotorClient[Document] = AsyncIOMotorClient(mongodb_uri)
        self.collection = self._client.get_default_database()["jobs"]
        self._mirrors: list[asyncio.Task[None]] = []

    def mirror(self) -> MongoMirror:
        """A mirror that does not run yet."""
        return MongoMirror(self.queue_name, self.redis_url, self.collection)

    def start(self, mirror: MongoMirror | None = None) -> asyncio.Task[None]:
        """Run a mirror in the background."""
        task = asyncio.create_task((mirror or self.mirror()).run())
        self._mirrors.append(task)
        return task

    async def end(self, task: asyncio.Task[None]) -> None:
        """Cancel a mirror and wait for its end."""
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    async def caught_up(self, *, deadline: float = 30) -> None:
        """Wait until a mirror has written every event."""
        asking = self.mirror()
        try:
            await until(asking.caught_up, what="the mirror to catch up", deadline=deadline)
        finally:
            await asking._client.aclose()

    async def documents(self) -> dict[str, Document]:
        """All documents by their ids."""
        return {document["_id"]: document async for document in self.collection.find()}

    async def status(self, job_id: str) -> str | None:
        """The status of one document, None when it does not exist."""
        document = await self.collection.find_one({"_id": job_id})
        return str(document["status"]) if document else None

    async def assert_equal(self) -> None:
        """Compare each job of the queue with its document; wait for the mirror first."""
        await self.caught_up()
        documents = await self.documents()
        names = list((await self.driver.dump()).jobs)
        for job in await self.queue.get_jobs(names):
            assert job is not None
            document = documents[job.id]
            assert document["status"] == STATUS_OF_STATE[JobState(job.state)], job
            assert document["attempts_made"] == job.attempts_made, job
            assert document["returnvalue"] == job.returnvalue, job
            assert document["failed_reason"] == job.failed_reason, job
            assert document["progress"] == job.progress, job

    async def close(self) -> None:
        """End the mirrors that still run, and close the connections."""
        for task in self._mirrors:
            if not task.done():
                await self.end(task)
            elif not task.cancelled():
                task.result()
        await self.queue.close()
        await self.driver.close()
        self._client.close()


@asynccontextmanager
async def mirrored(redis_url: str, queue_name: str, mongodb_uri: str) -> AsyncIterator[Mirrored]:
    """A queue with a collection of its own."""
    pair = Mirrored(redis_url, queue_name, mongodb_uri)
    try:
        yield pair
    finally:
        await pair.close()
