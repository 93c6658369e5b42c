"""A Cluster of three nodes: a queue lives on the node of its slot, wherever that is."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import redis.asyncio
from redis.crc import key_slot

from tests.support.invariants import check_invariants
from tests.support.topologies import Cluster, ClusterNode, cluster, connect
from tests.support.waiting import until
from tests.support.workers import HeldHandler, ended
from vqueue import (
    Durability,
    FlowJob,
    FlowProducer,
    InvalidOption,
    Job,
    JobState,
    Queue,
    QueueUnavailable,
    Worker,
)
from vqueue.connection import open_client
from vqueue.keys import QueueKeys


@pytest.fixture(scope="module")
def topology(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The nodes of this module; each test leaves all slots served."""
    with cluster(tmp_path_factory.mktemp("cluster")) as topology:
        yield topology


@pytest.fixture
async def queue(topology: Cluster, queue_name: str) -> AsyncIterator[Queue]:
    """A queue that is proved after the test."""
    async with Queue(queue_name, topology.url, repeat_for=60) as queue:
        yield queue
    await check_invariants(topology.url, queue_name)


def _elsewhere(topology: Cluster, key: str) -> ClusterNode:
    owner = topology.owner(key)
    return next(node for node in topology.nodes if node is not owner)


async def _double(job: Job) -> int:
    return int(job.data) * 2


async def test_queues_of_every_node_work(topology: Cluster) -> None:
    names, owners = [f"queue-{number}" for number in range(12)], set()
    for name in names:
        async with Queue(name, topology.url) as queue, Worker(name, _double, topology.url):
            job = await queue.add("task", 21)
            (done,) = await ended(queue, job.id)
            assert done.returnvalue == 42
            owners.add(topology.owner(queue.keys.meta))
    assert owners == set(topology.nodes)


async def test_a_client_of_the_cluster_names_the_same_node(queue: Queue, topology: Cluster) -> None:
    job = await queue.add("task")
    first = topology.nodes[0].port("redis")
    async with (
        redis.asyncio.RedisCluster(host="127.0.0.1", port=first) as theirs,
        Queue(queue.name, theirs) as same,
    ):
        assert await same.get_job(job.id)
        place = {finding.check: finding.found for finding in await same.examine()}["place"]
    port = topology.owner(queue.keys.meta).port("redis")
    slot = key_slot(queue.keys.meta.encode())
    assert place == f"Cluster, the node of slot {slot} at 127.0.0.1:{port}"


async def test_nothing_is_lost_when_the_slot_moves_while_a_worker_runs(
    queue: Queue, topology: Cluster
) -> None:
    handler = HeldHandler()
    source = topology.owner(queue.keys.meta)
    target = _elsewhere(topology, queue.keys.meta)
    async with Worker(queue.name, handler, topology.url, concurrency=5) as worker:
        before = [await queue.add("task", n) for n in range(50)]
        await handler.running(5)
        moving = asyncio.create_task(asyncio.to_thread(topology.move, queue.keys.meta, target))
        handler.let_go.set()
        wanted = Durability(fsync=True, timeout=30)
        during = [await queue.add("task", n, durability=wanted if n else None) for n in range(4)]
        await moving
        after = [await queue.add("task", n) for n in range(20)]
        done = await ended(queue, *(job.id for job in before + during + after))
        assert worker.name == queue.name
    assert {job.state for job in done} == {JobState.COMPLETED}
    assert len(handler.started) == len(done)
    assert topology.owner(queue.keys.meta) is target is not source


async def test_partial_results_are_read_on_while_the_slot_moves(
    queue: Queue, topology: Cluster
) -> None:
    target = _elsewhere(topology, queue.keys.meta)

    async def handler(job: Job) -> None:
        await job.send_partial("before")
        await asyncio.to_thread(topology.move, queue.keys.meta, target)
        await job.send_partial("after")

    job = await queue.add("task")
    async with (
        Worker(queue.name, handler, topology.url),
        queue.partial_results(job.id) as partials,
        asyncio.timeout(60),
    ):
        assert [partial.value async for partial in partials] == ["before", "after"]
    assert topology.owner(queue.keys.meta) is target


async def test_a_call_in_the_middle_of_a_move_changes_nothing_and_is_repeated(
    queue: Queue, topology: Cluster
) -> None:
    # all keys that a script names are there, and the records of jobs are on their way
    client = connect(topology.owner(queue.keys.meta))
    await queue.add("task", 1, job_id="moved")
    for key in queue.keys.fixed:
        if not client.exists(key):
            client.set(key, "stands for one")
    slot = key_slot(queue.keys.meta.encode())
    source = topology.owner(queue.keys.meta)
    target = _elsewhere(topology, queue.keys.meta)
    topology.begin_move(queue.keys.meta, target)
    client.execute_command(
        "MIGRATE", "127.0.0.1", target.port("redis"), queue.keys.job("moved"), 0, 5000
    )
    async with Queue(queue.name, topology.url, repeat_for=0.1) as hasty:
        with pytest.raises(QueueUnavailable, match="TryAgainError"):
            await hasty.add("task", 2, job_id="late")
    # a command of one key is answered by the node that has it by now
    assert await queue._client.execute("EXISTS", queue.keys.job("moved")) == 1
    late = asyncio.create_task(queue.add("task", 2, job_id="late"))
    for key in queue.keys.fixed:
        if client.type(key) == b"string":
            client.delete(key)
    topology.move_keys(slot, source, target)
    topology.end_move(slot, target)
    assert not (await late).is_duplicate
    assert (await queue.get_job_counts())[JobState.WAITING] == 2


async def test_a_replica_that_takes_the_place_of_a_dead_node_is_found(
    queue_name: str, tmp_path: Path
) -> None:
    with (
        cluster(tmp_path / "cluster") as topology,
        ClusterNode(tmp_path / "replica") as replica,
    ):
        keys = QueueKeys(queue_name)
        owner = topology.owner(keys.meta)
        at = ("127.0.0.1", owner.port("redis"), owner.port("bus"))
        # the one that is to die: the others are learned of from it
        only = f"redis+cluster://127.0.0.1:{owner.port('redis')}"
        connect(replica).execute_command("CLUSTER MEET", *at)

        def is_met() -> bool:
            known = connect(replica).execute_command("CLUSTER INFO")["cluster_known_nodes"]
            return bool(known == "4")

        await until(is_met, what="the nodes to know each other", deadline=60)
        connect(replica).execute_command("CLUSTER REPLICATE", owner.node_id())
        async with (
            Queue(queue_name, only, repeat_for=60) as queue,
            Worker(queue_name, _double, only),
        ):
            wanted = Durability(replicas=1, timeout=60)
            before = await queue.add("task", 1, durability=wanted)
            await ended(queue, before.id)
            await asyncio.to_thread(owner.kill)
            after = await queue.add("task", 21)
            (done,) = await ended(queue, after.id)
            assert done.returnvalue == 42
            assert await queue.get_job(before.id)
        assert connect(replica).role()[0] == b"master"
        await check_invariants(topology.url, queue_name)
        replica.kill()


async def test_queues_of_one_tag_share_a_slot_and_what_works_on_both(
    topology: Cluster, queue_name: str
) -> None:
    tag = f"{{{queue_name}}}"
    parent, child, letters = f"{tag}parent", f"{tag}child", f"{tag}letters"

    async def handler(job: Job) -> str:
        if job.name == "fails":
            raise ValueError("no")
        return job.queue_name

    async with (
        FlowProducer(topology.url) as producer,
        Queue(parent, topology.url) as above,
        Queue(child, topology.url) as below,
        Queue(letters, topology.url) as dead,
        Worker(parent, handler, topology.url),
        Worker(child, handler, topology.url),
    ):
        flow = FlowJob(
            name="sum", queue_name=parent, children=[FlowJob(name="part", queue_name=child)]
        )
        node = await producer.add(flow)
        await ended(above, node.job.id)
        assert await above.get_children_values(node.job.id) == {
            f"{child}:{node.children[0].job.id}": child
        }
        failing = await below.add("fails", dead_letter=letters)
        await ended(below, failing.id)
        assert (await dead.get_job_counts())[JobState.WAITING] == 1
    for name in (parent, child, letters):
        await check_invariants(topology.url, name)


async def test_what_needs_two_slots_is_refused_before_it_changes_anything(
    queue: Queue, topology: Cluster
) -> None:
    other = next(
        name
        for name in (f"{queue.name}-{number}" for number in range(9))
        if key_slot(queue.keys.beside(name).encode()) != key_slot(queue.keys.meta.encode())
    )
    across = FlowJob(
        name="sum", queue_name=queue.name, children=[FlowJob(name="part", queue_name=other)]
    )
    async with FlowProducer(topology.url) as producer:
        with pytest.raises(InvalidOption, match=r"another slot .* begin both names with the same"):
            await producer.add(across)
        both = [FlowJob(name="task", queue_name=name) for name in (queue.name, other)]
        with pytest.raises(InvalidOption, match="another slot"):
            await producer.add_bulk(both)
    with pytest.raises(InvalidOption, match="another slot"):
        await queue.add("task", dead_letter=other)
    parent = await queue.add("sum")
    async with Queue(other, topology.url) as theirs:
        with pytest.raises(InvalidOption, match="another slot"):
            await theirs.add_children(f"{queue.name}:{parent.id}", [FlowJob(name="part")])
    assert (await queue.get_job_counts())[JobState.WAITING] == 1


async def test_a_server_that_is_no_cluster_says_so(redis_url: str) -> None:
    client = open_client(redis_url.replace("redis://", "redis+cluster://"))
    with pytest.raises(redis.ResponseError, match="cluster support disabled"):
        await client.execute("PING")
    await client.aclose()
