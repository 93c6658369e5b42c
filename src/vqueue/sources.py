"""Sources: what a user names as the Redis of a queue, and how to get there from it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from redis.asyncio import ConnectionPool, Redis, RedisCluster
from redis.asyncio.connection import (
    AbstractConnection,
    Connection,
    SSLConnection,
    UnixDomainSocketConnection,
)
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.crc import key_slot

from vqueue.errors import InvalidOption
from vqueue.locating import ClusterLocator, Locator, SentinelLocator
from vqueue.wire import Address, Dialler

#: What a queue, worker, reader or mirror accepts as its Redis: a URL, or an asyncio client of
#: redis-py, which is only asked where its servers are and how to be let in.
RedisSource = str | Redis | RedisCluster

_FORMS = (
    "write redis://host:port/db, redis+sentinel://host:port,host:port/service/db, "
    "redis+cluster://host:port,host:port, rediss… in front for TLS, or unix:///path"
)
_SENTINEL_PORT = 26379
_CLUSTER_PORT = 6379

_SEVERAL = re.compile(
    r"(?P<scheme>rediss?)\+(?P<topology>sentinel|cluster)://(?P<credentials>[^/?]*@)?"
    r"(?P<hosts>[^/?@]+)(?:/(?P<path>[^?]*))?(?P<query>\?.*)?"
)

#: Settings taken over from a client's pool: where the server is and how to be let in.
#: Time-outs, decoding, retries and the driver's internal objects are not.
_TAKEN_OVER = (
    "host",
    "port",
    "path",
    "db",
    "username",
    "password",
    "credential_provider",
    "client_name",
    "socket_keepalive_options",
)


class Route(NamedTuple):
    """How a client gets connections: where to, and by what."""

    locator: Locator
    dialler: Dialler


@dataclass(frozen=True, kw_only=True, slots=True)
class _Door:
    """How to be let in to servers of one kind."""

    connection_class: type[AbstractConnection]
    settings: Mapping[str, Any]

    def dialler(self, *, reply_timeout: float, connect_timeout: float) -> Dialler:
        """Return what connects; time-outs in seconds."""
        settings: dict[str, Any] = {
            **{
                key: value
                for key, value in self.settings.items()
                if key in _TAKEN_OVER or key.startswith("ssl_")
            },
            "protocol": 2,
            "decode_responses": False,
            "health_check_interval": 0,
            "socket_timeout": reply_timeout,
            "socket_connect_timeout": connect_timeout,
            "retry": Retry(NoBackoff(), 0),
        }
        if not issubclass(self.connection_class, UnixDomainSocketConnection):
            settings["socket_keepalive"] = True
        return Dialler(self.connection_class, settings, reply_timeout=reply_timeout)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Sentinels:
    """Where Sentinels are, which service is meant, and how they let one in."""

    service: str
    addresses: tuple[Address, ...]
    door: _Door


@dataclass(frozen=True, kw_only=True, slots=True)
class _Source:
    """A source, understood."""

    door: _Door
    sentinels: _Sentinels | None = None
    #: Nodes of a Cluster, for a start.
    nodes: tuple[Address, ...] = ()


def find_route(
    source: RedisSource, *, key: str, reply_timeout: float, connect_timeout: float
) -> Route:
    """Return the way to the server that has `key`. Connects to nothing.

    Raises InvalidOption for a URL or client that names no primary.
    """
    known = _understand(source)
    dialler = known.door.dialler(reply_timeout=reply_timeout, connect_timeout=connect_timeout)
    locator = Locator()
    asked = known.sentinels.addresses if known.sentinels else known.nodes
    # together they take no longer than one server may
    share = connect_timeout / max(len(asked), 1)
    if known.sentinels:
        asker = known.sentinels.door.dialler(reply_timeout=share, connect_timeout=share)
        locator = SentinelLocator(asker, asked, service=known.sentinels.service)
    elif known.nodes:
        asker = known.door.dialler(reply_timeout=share, connect_timeout=share)
        locator = ClusterLocator(asker, asked, slot=key_slot(key.encode()))
    return Route(locator, dialler)


def check_url(url: str) -> None:
    """Raise InvalidOption for a URL that names no Redis; quotes nothing of it."""
    _understand(url)


def _understand(source: RedisSource) -> _Source:
    if isinstance(source, RedisCluster):
        kwargs = source.connection_kwargs
        connection_class = kwargs.get("connection_class", Connection)
        nodes = tuple((node.host, int(node.port)) for node in source.startup_nodes)
        return _Source(door=_Door(connection_class=connection_class, settings=kwargs), nodes=nodes)
    if isinstance(source, Redis):
        pool = source.connection_pool
        if isinstance(pool, SentinelConnectionPool):
            return _from_sentinel_pool(pool)
        return _Source(door=_door_of(pool))
    if not isinstance(source, str):
        raise InvalidOption(
            f"a {type(source).__name__} names no Redis: pass a URL, or an asyncio client of "
            "redis-py: Redis, RedisCluster, or what Sentinel.master_for returns"
        )
    if several := _SEVERAL.fullmatch(source):
        return _from_parts(**several.groupdict(default=""))
    return _Source(door=_door_of(_pool_of(source)))


def _door_of(pool: ConnectionPool) -> _Door:
    return _Door(connection_class=pool.connection_class, settings=pool.connection_kwargs)


def _pool_of(url: str) -> ConnectionPool:
    try:
        return ConnectionPool.from_url(url)
    except ValueError as error:
        raise InvalidOption(f"Redis URL is refused ({error}); {_FORMS}") from None


def _from_sentinel_pool(pool: SentinelConnectionPool) -> _Source:
    if not pool.is_master:
        raise InvalidOption(
            f"the client is for replicas of {pool.service_name!r}, which take no jobs: use "
            "Sentinel.master_for"
        )
    manager = pool.sentinel_manager
    doors = [_door_of(sentinel.connection_pool) for sentinel in manager.sentinels]
    is_tls = issubclass(pool.connection_class, SSLConnection)
    return _Source(
        door=_Door(
            connection_class=SSLConnection if is_tls else Connection,
            settings=pool.connection_kwargs,
        ),
        sentinels=_Sentinels(
            service=pool.service_name,
            addresses=tuple((door.settings["host"], door.settings["port"]) for door in doors),
            door=doors[0],
        ),
    )


def _from_parts(
    scheme: str, topology: str, credentials: str, hosts: str, path: str, query: str
) -> _Source:
    service, _, database = path.rpartition("/") if topology == "cluster" else path.partition("/")
    is_sentinel = topology == "sentinel"
    if is_sentinel and not service:
        raise InvalidOption(f"the URL of a Sentinel names no service; {_FORMS}")
    if not is_sentinel and (service or database not in ("", "0")):
        raise InvalidOption(f"a Cluster has database 0 only, and no service; {_FORMS}")
    if database and not database.isdecimal():
        raise InvalidOption(f"the database of a Redis URL is a number; {_FORMS}")
    default_port = _SENTINEL_PORT if is_sentinel else _CLUSTER_PORT
    addresses = tuple(_addresses(hosts.split(","), default_port))
    # what one server's URL says, the driver reads as it reads any
    door = _door_of(_pool_of(f"{scheme}://{credentials}{hosts.split(',')[0]}/{database}{query}"))
    if not is_sentinel:
        return _Source(door=door, nodes=addresses)
    settings = {key: value for key, value in door.settings.items() if key.startswith("ssl_")}
    for name in ("username", "password"):
        if f"sentinel_{name}" in door.settings:
            settings[name] = door.settings[f"sentinel_{name}"]
    return _Source(
        door=door,
        sentinels=_Sentinels(
            service=service,
            addresses=addresses,
            door=_Door(connection_class=door.connection_class, settings=settings),
        ),
    )


def _addresses(hosts: Iterable[str], default_port: int) -> Iterable[Address]:
    for host in hosts:
        try:
            parts = urlsplit(f"//{host}")
            port = parts.port
        except ValueError:
            raise InvalidOption(f"a host or port of the Redis URL is none; {_FORMS}") from None
        if not parts.hostname:
            raise InvalidOption(f"the Redis URL has an empty host; {_FORMS}")
        yield parts.hostname, default_port if port is None else port
