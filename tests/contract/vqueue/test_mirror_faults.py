"""MongoMirror: processes that die, servers that restart; nothing is lost."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

import vqueue.mirror
import vqueue.subscription
from devstack import Mongod, Valkey
from tests.contract.vqueue.mirrored import Mirrored, mirrored
from tests.support.driver import fsync_always, settle
from tests.support.waiting import until
from vqueue.documents import JobDocument
from vqueue.mirror import MongoMirror


@pytest.fixture
async def pair(
    redis_url: str, queue_name: str, mongodb_uri: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Mirrored]:
    """A queue and an empty collection; what a dead mirror had read changes hands soon."""
    monkeypatch.setattr(vqueue.subscription, "_CLAIM_IDLE_MS", 100)
    monkeypatch.setattr(vqueue.mirror, "_CLAIM_INTERVAL", 0.1)
    monkeypatch.setattr(vqueue.subscription, "BLOCK", 0.2)
    async with mirrored(redis_url, queue_name, mongodb_uri) as pair:
        yield pair


class StoppedMirror(MongoMirror):
    """Reads a batch and goes no further: before its write, or between write and ack."""

    def __init__(self, pair: Mirrored, *, writes: bool) -> None:
        super().__init__(pair.queue_name, pair.redis_url, pair.collection)
        self.stopped = asyncio.Event()
        self._writes = writes

    async def _write(self, documents: Sequence[JobDocument]) -> None:
        if self._writes:
            await super()._write(documents)
        self.stopped.set()
        await asyncio.Event().wait()


@pytest.mark.parametrize("writes", [False, True], ids=["before-the-write", "before-the-ack"])
async def test_what_a_dead_mirror_had_read_is_taken_over(pair: Mirrored, writes: bool) -> None:
    # a group that is there, so that the gap of a new one does not help
    running = pair.start()
    await pair.driver.add("first")
    await pair.caught_up()
    await pair.end(running)

    dying = StoppedMirror(pair, writes=writes)
    task = pair.start(dying)
    await pair.driver.add("second")
    await dying.stopped.wait()
    await pair.end(task)
    pending = await pair.driver.redis("XPENDING", pair.driver.keys.ev, "mirror")
    assert pending[0] > 0
    pair.start()
    await pair.assert_equal()
    assert await pair.status("second") == "queued"


_MIRROR_PROCESS = """
import asyncio, sys
from motor.motor_asyncio import AsyncIOMotorClient
import vqueue.mirror
import vqueue.subscription

# killed in the middle of reading all jobs, it must not keep the others waiting
vqueue.subscription._RESYNC_LOCK_MS = 1000

async def main(name, redis_url, mongodb_uri):
    jobs = AsyncIOMotorClient(mongodb_uri).get_default_database()["jobs"]
    await vqueue.mirror.MongoMirror(name, redis_url, jobs).run()

asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_mirror_process_killed_at_any_moment_loses_nothing(
    pair: Mirrored, mongodb_uri: str
) -> None:
    def start_process() -> "subprocess.Popen[bytes]":
        arguments: Sequence[str] = (pair.queue_name, pair.redis_url, mongodb_uri)
        return subprocess.Popen(
            [sys.executable, "-c", _MIRROR_PROCESS, *arguments],
            env={"PATH": os.environ["PATH"]},
        )

    process = await asyncio.to_thread(start_process)
    try:
        for round_ in range(10):
            names = [f"job-{round_}-{number}" for number in range(100)]
            await pair.driver.add(*names)
            await pair.driver.finish(*map(settle, (await pair.driver.take(100)).jobs))
            if round_ == 5:

                async def some_written() -> bool:
                    return await pair.collection.count_documents({}) > 0

                await until(some_written, what="the process to mirror something", deadline=30)
                await pair.driver.add("just-before")
                process.kill()
        pair.start()
        await pair.assert_equal()
        assert len(await pair.documents()) == 1001
    finally:
        process.kill()
        await asyncio.to_thread(process.wait)


async def test_a_mongodb_killed_and_restarted_loses_nothing(
    redis_url: str, queue_name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = Mongod(tmp_path)
    await asyncio.to_thread(server.start)
    uri = server.settings()["MONGODB_URI"] + "&serverSelectionTimeoutMS=500"
    try:
        async with mirrored(redis_url, queue_name, uri) as pair:
            running = pair.start()
            await pair.driver.add("before")
            await pair.caught_up()
            await asyncio.to_thread(server.kill)
            await pair.driver.add("meanwhile")
            await pair.driver.finish(settle(await pair.driver.take_one()))
            mirror = pair.mirror()
            assert not await mirror.caught_up()
            await mirror._client.aclose()

            async def noticed() -> bool:
                return bool(caplog.records)

            await until(noticed, what="the mirror to notice the outage")
            await asyncio.to_thread(server.start)
            await pair.assert_equal()
            assert not running.done()
            assert await pair.status("before") == "completed"
            assert await pair.status("meanwhile") == "queued"
            # an outage is something to wait for, no failure
            assert {record.levelname for record in caplog.records} == {"WARNING"}
    finally:
        await asyncio.to_thread(server.stop)


async def test_a_redis_killed_and_restarted_is_waited_for(
    queue_name: str, mongodb_uri: str, tmp_path: Path
) -> None:
    with Valkey(tmp_path) as server:
        async with mirrored(server.settings()["REDIS_URL"], queue_name, mongodb_uri) as pair:
            pair.start()
            await pair.driver.add("before")
            await pair.caught_up()
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
            await pair.queue.add("task", job_id="after")
            await pair.assert_equal()
            assert await pair.status("after") == "queued"
            await pair.driver.check()


async def test_a_redis_that_comes_back_empty_is_followed_again(
    tmp_path: Path, queue_name: str, mongodb_uri: str
) -> None:
    with Valkey(tmp_path) as server:
        url = server.settings()["REDIS_URL"]
        await fsync_always(url)
        async with mirrored(url, queue_name, mongodb_uri) as pair:
            pair.start()
            await pair.driver.add("before")
            await pair.caught_up()
            await asyncio.to_thread(server.kill)
            for path in server.data_folder.rglob("*"):
                if path.is_file():
                    path.unlink()
            await asyncio.to_thread(server.start)
            await pair.driver.add("after")
            await pair.caught_up()
            assert await pair.status("after") == "queued"
            assert await pair.status("before") == "queued"
