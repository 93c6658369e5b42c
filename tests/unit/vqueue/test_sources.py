"""Which servers a URL or a client names."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis, RedisCluster
from redis.asyncio.connection import Connection, SSLConnection
from redis.asyncio.sentinel import Sentinel

from vqueue.errors import InvalidOption
from vqueue.keys import QueueKeys
from vqueue.locating import ClusterLocator, Locator, SentinelLocator
from vqueue.sources import RedisSource, Route, find_route


def _route(source: RedisSource, key: str = "key") -> Route:
    return find_route(source, key=key, reply_timeout=4, connect_timeout=3)


def test_a_plain_url_is_one_server() -> None:
    locator, dialler = _route("redis://user:secret@host:7000/3")
    assert type(locator) is Locator
    known = {"host": "host", "port": 7000, "db": 3, "username": "user", "password": "secret"}
    assert known.items() <= dialler._settings.items()


@pytest.mark.parametrize(
    ("url", "addresses", "database"),
    [
        ("redis+sentinel://a:1,b:2/films/4", [("a", 1), ("b", 2)], 4),
        ("redis+sentinel://a,[::1]:2/films", [("a", 26379), ("::1", 2)], None),
    ],
)
def test_a_url_of_sentinels_names_them_and_a_service(
    url: str, addresses: list[tuple[str, int]], database: int | None
) -> None:
    locator, dialler = _route(url)
    assert isinstance(locator, SentinelLocator)
    assert (list(locator._known), locator._service) == (addresses, "films")
    assert dialler._settings.get("db") == database


def test_sentinels_and_servers_have_credentials_of_their_own_and_the_same_tls() -> None:
    locator, dialler = _route(
        "rediss+sentinel://user:s%2Fcret@a,b/films?sentinel_password=other&ssl_ca_certs=ca.pem"
    )
    assert isinstance(locator, SentinelLocator)
    asker = locator._dialler
    assert dialler._settings["password"] == "s/cret"
    assert asker._settings["password"] == "other"
    assert "username" not in asker._settings
    for one in (dialler, asker):
        assert one._connection_class is SSLConnection
        assert one._settings["ssl_ca_certs"] == "ca.pem"


def test_those_who_are_asked_share_the_time_of_one_connection() -> None:
    locator, _ = _route("redis+sentinel://a,b,c/films")
    assert isinstance(locator, SentinelLocator)
    assert locator._dialler._settings["socket_connect_timeout"] == 1


def test_a_url_of_a_cluster_is_for_the_slot_of_the_key() -> None:
    locator, dialler = _route("redis+cluster://:secret@a:1,b", "{tag}x")
    assert isinstance(locator, ClusterLocator)
    assert list(locator._known) == [("a", 1), ("b", 6379)]
    same, _ = _route("redis+cluster://a", "{tag}y")
    assert isinstance(same, ClusterLocator)
    assert locator._slot == same._slot
    assert dialler._settings["password"] == "secret"


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("localhost:6379", "redis\\+sentinel://"),
        ("redis+sentinel://a,b", "names no service"),
        ("redis+sentinel://a,b/films/x", "database of a Redis URL is a number"),
        ("redis+sentinel://a,,b/films", "empty host"),
        ("redis+sentinel://a:port/films", "host or port"),
        ("redis+cluster://a/1", "database 0 only"),
        ("redis+cluster://a/films/0", "database 0 only"),
        ("redis+cluster://", "redis\\+cluster://host:port"),
    ],
)
def test_a_url_that_names_no_servers_is_refused(url: str, named: str) -> None:
    with pytest.raises(InvalidOption, match=named):
        _route(url)


async def test_clients_are_asked_for_their_servers() -> None:
    sentinel = Sentinel([("a", 1), ("b", 2)], sentinel_kwargs={"password": "other"})
    locator, dialler = _route(sentinel.master_for("films", password="secret", db=2))
    assert isinstance(locator, SentinelLocator)
    assert (list(locator._known), locator._service) == ([("a", 1), ("b", 2)], "films")
    assert dialler._connection_class is Connection
    assert (dialler._settings["password"], dialler._settings["db"]) == ("secret", 2)
    assert locator._dialler._settings["password"] == "other"
    of_cluster, dialler = _route(RedisCluster(host="a", port=7, ssl=True, username="user"))
    assert isinstance(of_cluster, ClusterLocator)
    assert list(of_cluster._known) == [("a", 7)]
    assert dialler._connection_class is SSLConnection
    assert dialler._settings["username"] == "user"


async def test_what_is_no_primary_or_no_client_is_refused() -> None:
    with pytest.raises(InvalidOption, match=r"use Sentinel\.master_for"):
        _route(Sentinel([("a", 1)]).slave_for("films"))
    with pytest.raises(InvalidOption, match="Sentinel names no Redis"):
        _route(Sentinel([("a", 1)]))  # type: ignore[arg-type]
    assert type(_route(Redis(host="a")).locator) is Locator


@pytest.mark.parametrize("name", ["{video}encode", "encode", "{a.b-c}x"])
def test_a_queue_name_may_begin_with_a_tag(name: str) -> None:
    keys = QueueKeys(name)
    assert keys.meta == f"vq:{{{name}}}:meta"
    assert keys.beside("other") == "vq:{other}:"


@pytest.mark.parametrize("name", ["", "{video}", "{}x", "a{video}", "{video}}x", "x" * 129])
def test_other_braces_in_a_queue_name_are_refused(name: str) -> None:
    with pytest.raises(InvalidOption, match="queue name"):
        QueueKeys(name)
