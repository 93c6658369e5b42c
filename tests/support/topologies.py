"""Redis as several servers: a primary that Sentinels watch, and a Cluster."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.retry import Retry

from devstack import Valkey
from devstack.ports import LOOPBACK

#: The name that the Sentinels know the primary by.
SERVICE = "videos"
_SLOTS = 16384
#: Seconds for a topology to come about.
_DEADLINE = 60.0


def connect(server: Valkey) -> redis.Redis:
    """Return a client of one server, whatever it belongs to."""
    return redis.Redis(
        host=LOOPBACK, port=server.port("redis"), socket_timeout=5.0, retry=Retry(NoBackoff(), 0)
    )


def _wait(condition: Callable[[], bool], what: str) -> None:
    """Block until `condition` holds, which may raise the driver's errors meanwhile."""
    deadline = time.monotonic() + _DEADLINE
    while True:
        try:
            if condition():
                return
            found = "not yet"
        except redis.RedisError as error:
            found = repr(error)
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {_DEADLINE:g} s in vain for {what}: {found}")
        time.sleep(0.02)


class SentinelProcess(Valkey):
    """A Sentinel: the same program, with its settings in a file that it rewrites."""

    name = "valkey-sentinel"

    def __init__(self, folder: Path, primary: Valkey) -> None:
        super().__init__(folder)
        self._primary = primary

    def _command(self) -> list[str]:
        path = self.data_folder / "sentinel.conf"
        at = f"{LOOPBACK} {self._primary.port('redis')}"
        lines = (
            f"bind {LOOPBACK}",
            f"port {self.port('redis')}",
            f"dir {self.data_folder}",
            f"sentinel monitor {SERVICE} {at} 2",
            f"sentinel down-after-milliseconds {SERVICE} 500",
            f"sentinel failover-timeout {SERVICE} 3000",
        )
        path.write_text("\n".join(lines) + "\n")
        return [super()._command()[0], str(path), "--sentinel"]


class Watched:
    """A primary and a replica with three Sentinels, running."""

    def __init__(self, servers: list[Valkey], sentinels: list[SentinelProcess]) -> None:
        self.servers = servers
        self.sentinels = sentinels

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where the Sentinels are."""
        return [(LOOPBACK, sentinel.port("redis")) for sentinel in self.sentinels]

    @property
    def url(self) -> str:
        """The source for vqueue."""
        hosts = ",".join(f"{host}:{port}" for host, port in self.addresses)
        return f"redis+sentinel://{hosts}/{SERVICE}/0"

    def primary(self) -> Valkey:
        """Return the running server that is the primary by its own word."""
        for server in self.servers:
            if server.is_running and connect(server).role()[0] == b"master":
                return server
        raise AssertionError("no server is a primary")

    def wait_for_replica(self) -> None:
        """Return when the replica has all that the primary has at the moment of the call.

        WAIT would not tell: it asks for the writes of its own connection.
        """
        primary = self.primary()
        replica = next(server for server in self.servers if server is not primary)
        wanted = connect(primary).info("replication")["master_repl_offset"]

        def has_all() -> bool:
            told = connect(replica).info("replication")
            return told.get("master_link_status") == "up" and told["slave_repl_offset"] >= wanted

        _wait(has_all, "the replica")

    def bring_back(self, former: Valkey) -> None:
        """Start a primary that died, as the replica of the one that every Sentinel names by now.

        The Sentinels would make it one, too, after ten seconds in which there are two primaries.
        """
        other = next(server for server in self.servers if server is not former)

        def is_over() -> bool:
            told = [connect(sentinel).sentinel_master(SERVICE) for sentinel in self.sentinels]
            return all(state["port"] == other.port("redis") for state in told)

        def follows() -> bool:
            return bool(connect(former).info("replication").get("master_link_status") == "up")

        _wait(is_over, "the failover")
        former.start()
        connect(former).replicaof(LOOPBACK, other.port("redis"))
        _wait(follows, "the former primary to follow")


@contextmanager
def watched(folder: Path) -> Iterator[Watched]:
    """Run a primary, a replica and three Sentinels that know each other."""
    with ExitStack() as running:
        first, second = (running.enter_context(Valkey(folder / f"server-{n}")) for n in range(2))
        connect(second).replicaof(LOOPBACK, first.port("redis"))
        sentinels = [
            running.enter_context(SentinelProcess(folder / f"sentinel-{n}", first))
            for n in range(3)
        ]

        def is_complete() -> bool:
            told = [connect(sentinel).sentinel_master(SERVICE) for sentinel in sentinels]
            seen = [connect(sentinel).sentinel_slaves(SERVICE) for sentinel in sentinels]
            return all(state["num-other-sentinels"] == 2 for state in told) and all(
                len(replicas) == 1 and replicas[0]["master-link-status"] == "ok"
                for replicas in seen
            )

        _wait(is_complete, "the Sentinels to know each other and the replica")
        for server in (*sentinels, first, second):
            running.callback(server.kill)
        yield Watched([first, second], sentinels)


class ClusterNode(Valkey):
    """A node of a Cluster."""

    name = "valkey-cluster-node"
    port_names = ("redis", "bus")

    def _command(self) -> list[str]:
        flags = {
            "cluster-enabled": "yes",
            "cluster-port": str(self.port("bus")),
            "cluster-node-timeout": "1000",
            "cluster-replica-validity-factor": "0",
        }
        return [*super()._command(), *(x for k, v in flags.items() for x in (f"--{k}", v))]

    def node_id(self) -> str:
        """Return the name by which the nodes know it."""
        name = connect(self).execute_command("CLUSTER", "MYID")
        return name.decode() if isinstance(name, bytes) else str(name)


class Cluster:
    """Three nodes with all slots between them, running."""

    def __init__(self, nodes: list[ClusterNode]) -> None:
        self.nodes = nodes

    @property
    def url(self) -> str:
        """The source for vqueue: two of the nodes."""
        hosts = ",".join(f"{LOOPBACK}:{node.port('redis')}" for node in self.nodes[:2])
        return f"redis+cluster://{hosts}"

    def owner(self, key: str) -> ClusterNode:
        """Return the node that serves a key by its own word."""
        for node in self.nodes:
            try:
                connect(node).execute_command("EXISTS", key)
            except redis.ResponseError:
                continue
            return node
        raise AssertionError(f"no node serves {key}")

    def begin_move(self, key: str, target: ClusterNode) -> None:
        """Open the slot of a key for its way to another node."""
        slot, source = key_slot(key.encode()), self.owner(key)
        connect(target).execute_command("CLUSTER SETSLOT", slot, "IMPORTING", source.node_id())
        connect(source).execute_command("CLUSTER SETSLOT", slot, "MIGRATING", target.node_id())

    def move_keys(self, slot: int, source: ClusterNode, target: ClusterNode) -> None:
        """Move the keys that are there, ten at a time."""
        client = connect(source)
        while keys := client.execute_command("CLUSTER GETKEYSINSLOT", slot, 10):
            at = (LOOPBACK, target.port("redis"))
            client.execute_command("MIGRATE", *at, "", 0, 5000, "KEYS", *keys)

    def end_move(self, slot: int, target: ClusterNode) -> None:
        """Give the slot to the node that has its keys by now."""
        for node in (target, *(node for node in self.nodes if node is not target)):
            connect(node).execute_command("CLUSTER SETSLOT", slot, "NODE", target.node_id())

    def move(self, key: str, target: ClusterNode) -> None:
        """Move the slot of a key to another node, key by key, as resharding tools do."""
        slot, source = key_slot(key.encode()), self.owner(key)
        self.begin_move(key, target)
        self.move_keys(slot, source, target)
        self.end_move(slot, target)


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """Run three nodes that agree on who has which slots."""
    with ExitStack() as running:
        nodes = [running.enter_context(ClusterNode(folder / f"node-{n}")) for n in range(3)]
        for number, node in enumerate(nodes):
            client = connect(node)
            first, last = (_SLOTS * n // len(nodes) for n in (number, number + 1))
            client.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
            client.execute_command("CLUSTER ADDSLOTSRANGE", first, last - 1)
        for node in nodes[1:]:
            at = (LOOPBACK, nodes[0].port("redis"), nodes[0].port("bus"))
            connect(node).execute_command("CLUSTER MEET", *at)

        def is_complete() -> bool:
            told = [connect(node).execute_command("CLUSTER INFO") for node in nodes]
            return all(
                info["cluster_state"] == "ok" and info["cluster_known_nodes"] == "3"
                for info in told
            )

        _wait(is_complete, "the nodes to agree")
        for node in nodes:
            running.callback(node.kill)
        yield Cluster(nodes)
