"""Adds that wait until replicas or the disk have their jobs."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from devstack import Valkey
from tests.support.driver import Driver
from tests.support.waiting import until
from vqueue import Durability, InvalidOption, JobState, NewJob, NotDurable, Queue
from vqueue.connection import open_client


@pytest.fixture(scope="module")
def replica(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> Iterator[str]:
    """A server that is nobody's replica yet."""
    folder: Path = tmp_path_factory.mktemp("replica")
    with Valkey(folder) as server:
        yield server.settings()["REDIS_URL"]


@pytest.fixture
async def replicated(replica: str, redis_url: str, driver: Driver) -> AsyncIterator[None]:
    """The session's server has one replica."""
    at = urlsplit(redis_url)
    client = open_client(replica)
    await client.execute("REPLICAOF", at.hostname or "", at.port or 0)

    async def is_online() -> bool:
        return b"state=online" in await driver.redis("INFO", "replication")

    await until(is_online, what="the replica to be online", deadline=30)
    yield
    await client.execute("REPLICAOF", "NO", "ONE")

    async def is_gone() -> bool:
        return b"connected_slaves:0" in await driver.redis("INFO", "replication")

    await until(is_gone, what="the replica to be gone", deadline=30)
    await client.aclose()


async def test_an_add_returns_when_the_job_is_on_disk(queue: Queue, driver: Driver) -> None:
    job = await queue.add("task", durability=Durability(fsync=True, timeout=30))
    assert await driver.state(job.id) == "waiting"
    jobs = [NewJob(name="task", data=n) for n in range(600)]
    assert len(await queue.add_bulk(jobs, durability=Durability(fsync=True, timeout=30))) == 600
    assert (await queue.get_job_counts())[JobState.WAITING] == 601


@pytest.mark.usefixtures("replicated")
async def test_an_add_returns_when_a_replica_has_the_job(
    queue: Queue, replica: str, driver: Driver
) -> None:
    job = await queue.add("task", {"width": 1}, durability=Durability(replicas=1, timeout=30))
    client = open_client(replica)
    record = await client.execute("GET", driver.keys.job(job.id))
    await client.aclose()
    assert b'{"width":1}' in record


async def test_an_add_that_too_few_replicas_confirm_says_so_and_stands(
    queue: Queue, driver: Driver
) -> None:
    wanted = Durability(replicas=1, timeout=0.05)
    with pytest.raises(NotDurable, match=r"job invoice-7 added, and not on 1 replicas") as raised:
        await queue.add("task", job_id="invoice-7", durability=wanted)
    assert raised.value.job_ids == ("invoice-7",)
    assert await driver.state("invoice-7") == "waiting"
    assert "the server answered 0 to WAIT" in str(raised.value)
    with pytest.raises(NotDurable):
        await queue.add("task", job_id="invoice-7", durability=wanted)
    assert (await queue.get_job_counts())[JobState.WAITING] == 1


async def test_a_server_without_append_only_file_confirms_nothing(
    replica: str, queue_name: str
) -> None:
    client = open_client(replica)
    await client.execute("CONFIG", "SET", "appendonly", "no")
    await client.aclose()
    async with Queue(queue_name, replica) as queue:
        with pytest.raises(NotDurable, match="appendonly is disabled"):
            await queue.add("task", durability=Durability(fsync=True))


async def test_other_adds_do_not_wait_for_one_that_does(queue: Queue, driver: Driver) -> None:
    wanted = Durability(replicas=9, timeout=60)
    waiting = asyncio.create_task(queue.add("task", job_id="slow", durability=wanted))

    async def is_added() -> bool:
        return await driver.state("slow") == "waiting"

    await until(is_added, what="the job to be added")
    await queue.add("task")
    assert not waiting.done()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_durable_add_loads_the_script_when_the_server_has_lost_it(
    queue: Queue, driver: Driver
) -> None:
    await driver.redis("SCRIPT", "FLUSH")
    job = await queue.add("task", durability=Durability(fsync=True, timeout=30))
    assert await driver.state(job.id) == "waiting"


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({}, "waits for replicas, for fsync, or for both"),
        ({"replicas": -1}, "replicas must be an integer of at least 0"),
        ({"fsync": True, "timeout": 61}, "at most 60 s"),
        ({"fsync": True, "timeout": 0}, "timeout of a durability"),
    ],
)
def test_settings_that_wait_for_nothing_are_refused(settings: dict[str, int], named: str) -> None:
    with pytest.raises(InvalidOption, match=named):
        Durability(**settings)


@pytest.mark.parametrize(
    ("durability", "reply", "is_reached"),
    [
        (Durability(replicas=2), 2, True),
        (Durability(replicas=2), 1, False),
        (Durability(fsync=True), [1, 0], True),
        (Durability(fsync=True), [0, 3], False),
        (Durability(fsync=True, replicas=2), [1, 2], True),
        (Durability(fsync=True, replicas=2), [1, 1], False),
    ],
)
def test_a_reply_confirms_what_was_asked_for_or_does_not(
    durability: Durability, reply: object, is_reached: bool
) -> None:
    assert durability.is_reached(reply) is is_reached
