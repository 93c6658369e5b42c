"""Commands of a client of ours: cancellation, errors."""

import asyncio

import pytest
import redis.asyncio

from tests.support.lossy import lossy_redis
from vqueue import Queue
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


async def test_commands_of_one_client_share_a_connection_and_do_not_wait_for_each_other(
    redis_url: str,
) -> None:
    async with lossy_redis(redis_url) as relay:
        client = open_client(relay.url)
        await client.execute("PING")
        relay.received.clear()
        names = [f"n{number}" for number in range(50)]
        assert await asyncio.gather(*(client.execute("ECHO", name) for name in names)) == [
            name.encode() for name in names
        ]
        assert relay.connections == 1
        await client.aclose()


async def test_a_cancelled_call_leaves_the_replies_of_its_neighbours_in_order(
    redis_url: str,
) -> None:
    client = open_client(redis_url)
    calls = [asyncio.create_task(client.execute("ECHO", f"n{number}")) for number in range(5)]
    await asyncio.sleep(0)
    calls[2].cancel()
    replies = await asyncio.gather(*calls, return_exceptions=True)
    assert [reply for reply in replies if isinstance(reply, bytes)] == [b"n0", b"n1", b"n3", b"n4"]
    assert await client.execute("ECHO", "next") == b"next"
    await client.aclose()


async def test_an_error_reply_is_its_own_calls_only(redis_url: str) -> None:
    client = open_client(redis_url)
    replies = await asyncio.gather(
        client.execute("ECHO", "a"),
        client.execute("NO-SUCH-COMMAND"),
        client.execute("ECHO", "b"),
        return_exceptions=True,
    )
    assert (replies[0], replies[2]) == (b"a", b"b")
    assert isinstance(replies[1], redis.ResponseError)
    await client.aclose()


async def test_a_late_reply_fails_all_that_wait_behind_it(redis_url: str) -> None:
    client = open_client(redis_url, reply_timeout=0.2)
    errors = await asyncio.gather(
        client.execute("BLPOP", "no-such-list", 5),
        client.execute("PING"),
        return_exceptions=True,
    )
    assert [type(error) for error in errors] == [redis.TimeoutError] * 2
    # a new connection: the late reply is nobody's
    assert await client.execute("PING") == b"PONG"
    await client.aclose()


async def test_closing_lets_the_calls_under_way_be_answered(redis_url: str) -> None:
    client = open_client(redis_url)
    await client.execute("PING")
    call = asyncio.create_task(client.execute("BLPOP", "no-such-list", 0.1))
    await asyncio.sleep(0)
    await client.aclose()
    assert await call is None
    with pytest.raises(RuntimeError, match="closed"):
        await client.execute("PING")


async def test_a_closed_queue_says_so_and_does_not_wait_for_redis(redis_url: str) -> None:
    queue = Queue("closed", redis_url)
    await queue.close()
    with pytest.raises(RuntimeError, match="make a new one"):
        await queue.add("task")


async def test_a_blocking_command_that_was_cancelled_takes_nothing_of_what_is_sent_next(
    redis_url: str, queue_name: str
) -> None:
    key = f"list-of-{queue_name}"
    blocking = open_client(redis_url, blocking=True)
    client = open_client(redis_url)
    for number in range(20):
        try:
            async with asyncio.timeout(0.02):
                await blocking.execute("BLPOP", key, 5)
        except TimeoutError:
            await client.execute("RPUSH", key, number)
        assert await client.execute("LPOP", key) == b"%d" % number
    await blocking.aclose()
    await client.aclose()


async def test_nothing_is_sent_behind_a_command_that_has_been_answered(redis_url: str) -> None:
    blocking = open_client(redis_url, blocking=True)
    await blocking.execute("PING")
    assert blocking.execute_behind("PING") is None
    await blocking.aclose()
