"""Commands of a client of ours: cancellation, errors."""

import asyncio

import pytest
import redis.asyncio

from vqueue.connection import is_transient, open_client
from vqueue.errors import InvalidOption


async def test_a_cancellation_is_never_lost_in_a_command(redis_url: str) -> None:
    client = open_client(redis_url)
    await client.execute("PING")
    for turns in range(40):
        command = asyncio.create_task(client.execute("BLPOP", "no-such-list", 0.05))
        for _ in range(turns):
            await asyncio.sleep(0)
        assert command.cancel()
        with pytest.raises(asyncio.CancelledError):
            await command
    assert await client.execute("PING") == b"PONG"
    await client.aclose()


async def test_a_cancellation_is_never_lost_while_connecting(redis_url: str) -> None:
    for turns in range(40):
        client = open_client(redis_url)
        command = asyncio.create_task(client.execute("BLPOP", "no-such-list", 0.05))
        for _ in range(turns):
            await asyncio.sleep(0)
        assert command.cancel()
        with pytest.raises(asyncio.CancelledError):
            await command
        await client.aclose()


async def test_a_timeout_around_a_command_stays_a_timeout(redis_url: str) -> None:
    client = open_client(redis_url)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await client.execute("BLPOP", "no-such-list", 5)
    await client.aclose()


async def test_a_client_of_the_callers_is_only_asked_for_its_server(redis_url: str) -> None:
    theirs = redis.asyncio.Redis.from_url(redis_url, decode_responses=True, socket_timeout=0.01)
    ours = open_client(theirs)
    assert await ours.execute("ECHO", "raw") == b"raw"
    await ours.aclose()
    assert await theirs.ping()
    await theirs.aclose()


def test_a_url_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidOption, match="redis://host:port/db"):
        open_client("localhost:6379")


async def test_a_wrong_password_is_not_waited_out(redis_url: str) -> None:
    client = open_client(redis_url.replace("redis://", "redis://user:wrong@"))
    with pytest.raises(redis.RedisError) as refused:
        await client.execute("PING")
    assert not is_transient(refused.value)
    await client.aclose()
