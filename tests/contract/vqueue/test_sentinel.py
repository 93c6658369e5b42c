"""A primary, a replica and three Sentinels: failing over by itself."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import redis.asyncio
from redis.asyncio.sentinel import Sentinel

from devstack import Valkey
from devstack.ports import free_ports
from tests.support.invariants import check_invariants
from tests.support.topologies import SERVICE, Watched, connect, watched
from tests.support.workers import HeldHandler, ended
from vqueue import Durability, Job, JobState, NewJob, Queue, QueueEvents, Worker
from vqueue.connection import is_transient, open_client
from vqueue.sources import find_route


@pytest.fixture(scope="module")
def topology(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """The servers of this module; each test leaves all of them running."""
    with watched(tmp_path_factory.mktemp("sentinel")) as topology:
        yield topology


@pytest.fixture
async def queue(topology: Watched, queue_name: str) -> AsyncIterator[Queue]:
    """A queue that is proved after the test."""
    async with Queue(queue_name, topology.url, repeat_for=60) as queue:
        yield queue
    await check_invariants(topology.url, queue_name)


async def _double(job: Job) -> int:
    return int(job.data) * 2


async def test_jobs_go_through_the_primary_that_sentinels_name(
    queue: Queue, topology: Watched
) -> None:
    async with Worker(queue.name, _double, topology.url):
        job = await queue.add("task", 21)
        (done,) = await ended(queue, job.id)
    assert done.returnvalue == 42
    place = {finding.check: finding.found for finding in await queue.examine()}["place"]
    port = topology.primary().port("redis")
    assert place == f"Sentinel, the primary of '{SERVICE}' at 127.0.0.1:{port}"


async def test_a_client_of_a_sentinel_names_the_same_primary(topology: Watched) -> None:
    sentinel = Sentinel(topology.addresses)
    async with sentinel.master_for(SERVICE) as theirs, Queue("by-client", theirs) as queue:
        await queue.ping()
        assert await theirs.set("by-client", "yes")
        assert await queue._client.execute("GET", "by-client") == b"yes"
    await sentinel.aclose()


async def test_a_dead_sentinel_is_passed_over(topology: Watched) -> None:
    dead = topology.sentinels[0]
    await asyncio.to_thread(dead.kill)
    client = open_client(topology.url)
    try:
        assert await client.execute("PING") == b"PONG"
    finally:
        await client.aclose()
        await asyncio.to_thread(dead.start)


async def test_a_service_that_no_sentinel_knows_is_said_by_name(topology: Watched) -> None:
    client = open_client(topology.url.replace(SERVICE, "songs"))
    with pytest.raises(redis.ConnectionError, match=r"'songs'.*watches no service") as raised:
        await client.execute("PING")
    assert is_transient(raised.value)
    await client.aclose()


async def test_a_server_that_is_no_primary_yet_is_not_admitted(topology: Watched) -> None:
    replica = next(server for server in topology.servers if server is not topology.primary())
    route = find_route(topology.url, key="", reply_timeout=5, connect_timeout=5)
    wire = await route.dialler.dial(("127.0.0.1", replica.port("redis")))
    with pytest.raises(redis.ConnectionError, match=r"is said to be .* which is a slave") as raised:
        await route.locator.admit(wire)
    assert is_transient(raised.value)
    await wire.close()


async def test_producers_workers_and_readers_go_on_after_the_primary_has_died(
    queue: Queue, topology: Watched
) -> None:
    former = topology.primary()
    handler = HeldHandler()
    wanted = Durability(replicas=1, timeout=30)
    async with (
        Worker(queue.name, handler, topology.url, concurrency=3),
        QueueEvents(queue.name, topology.url) as events,
    ):
        before = [await queue.add("task", n, durability=wanted) for n in range(6)]
        await handler.running(3)
        await asyncio.to_thread(topology.wait_for_replica)
        await asyncio.to_thread(former.kill)
        during = asyncio.create_task(queue.add_bulk([NewJob(name="task", data=n) for n in "ab"]))
        handler.let_go.set()
        after = await during
        jobs = [job.id for job in before + after]
        assert {job.state for job in await ended(queue, *jobs)} == {JobState.COMPLETED}
        completed = set()
        async for event in events:
            if event.name == "completed":
                completed.add(event.job_id)
            if completed >= {job.id for job in after}:
                break
    assert topology.primary() is not former
    await asyncio.to_thread(topology.bring_back, former)


async def test_partial_results_are_read_on_after_the_primary_has_died(
    queue: Queue, topology: Watched
) -> None:
    former = topology.primary()

    async def handler(job: Job) -> None:
        await job.send_partial("before")
        await asyncio.to_thread(topology.wait_for_replica)
        await asyncio.to_thread(former.kill)
        await job.send_partial("after")

    job = await queue.add("task")
    async with (
        Worker(queue.name, handler, topology.url),
        queue.partial_results(job.id) as partials,
        asyncio.timeout(60),
    ):
        assert [partial.value async for partial in partials] == ["before", "after"]
    assert topology.primary() is not former
    await asyncio.to_thread(topology.bring_back, former)


async def test_a_connection_to_a_primary_that_was_demoted_is_given_up(tmp_path: Path) -> None:
    with Valkey(tmp_path) as server:
        client = open_client(server.settings()["REDIS_URL"])
        first = await client.execute("CLIENT", "ID")
        assert await client.execute("CLIENT", "ID") == first
        nobody = free_ports(1)[0]
        connect(server).replicaof("127.0.0.1", nobody)
        with pytest.raises(redis.ReadOnlyError):
            await client.execute("SET", "key", "value")
        assert await client.execute("CLIENT", "ID") > first
        await client.aclose()
