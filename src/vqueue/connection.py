"""Connections to Redis: which client does what, and how long a call may take.

Owns the settings that the driver's defaults get wrong for a queue: its automatic retry
sends a command again after a time-out (two entries for one XADD), and its socket
time-out breaks blocking reads. Here the driver never retries; scripts.py repeats calls,
because each script is made to be repeated.
"""

from __future__ import annotations

import asyncio
from typing import Any

from redis.asyncio import BlockingConnectionPool, ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    ClusterDownError,
    ConnectionError,
    MasterDownError,
    ReadOnlyError,
    ResponseError,
    TimeoutError,
    TryAgainError,
)

from vqueue.errors import InvalidOption

#: What a queue, worker, reader or mirror accepts as its Redis.
RedisSource = str | Redis

#: Seconds for one reply of a command that does not block.
REPLY_TIMEOUT = 5.0
#: Seconds that a blocking read may take longer than it asked for.
BLOCK_MARGIN = 5.0

#: Connections of one client; further calls wait for a free one.
_POOL_SIZE = 16

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

_OVERRIDES = {
    "decode_responses": False,
    "health_check_interval": 0,
    "protocol": 2,
    "socket_keepalive": True,
}


def open_client(
    source: RedisSource,
    *,
    reply_timeout: float = REPLY_TIMEOUT,
    connect_timeout: float = 5.0,
    connections: int = _POOL_SIZE,
) -> Redis:
    """Return a client of our own for a URL, or for the server that a client is bound to.

    The caller closes it; a client passed in is only asked for its connection settings
    (host, TLS, credentials), so its own time-outs and decoding do not matter here.
    Raises InvalidOption for a URL that the driver does not understand.
    """
    if isinstance(source, Redis):
        settings: ConnectionPool = source.connection_pool
    else:
        try:
            settings = ConnectionPool.from_url(source)
        except ValueError as error:
            raise InvalidOption(
                f"Redis URL is refused ({error}); write redis://host:port/db, "
                "rediss://… for TLS, or unix:///path"
            ) from None
    kwargs: dict[str, Any] = {
        **{
            key: value
            for key, value in settings.connection_kwargs.items()
            if key in _TAKEN_OVER or key.startswith("ssl_")
        },
        **_OVERRIDES,
        "socket_timeout": reply_timeout,
        "socket_connect_timeout": connect_timeout,
        "retry": Retry(NoBackoff(), 0),
    }
    pool = BlockingConnectionPool(
        max_connections=connections,
        timeout=reply_timeout,
        connection_class=settings.connection_class,
        **kwargs,
    )
    client = Redis.from_pool(pool)
    # raw replies: the driver would turn an entry's fields into a dict, and lose repeats
    client.response_callbacks.clear()
    return client


#: Errors after which the same call may be sent again: the server is away, starting,
#: failing over, or the reply was lost.
_TRANSIENT_ERRORS = (
    ConnectionError,
    TimeoutError,
    BusyLoadingError,
    MasterDownError,
    ReadOnlyError,
    ClusterDownError,
    TryAgainError,
    OSError,
)


def is_transient(error: Exception) -> bool:
    """Tell whether the same call may succeed later without anyone's doing."""
    if isinstance(error, (AuthenticationError, AuthorizationError)):
        return False  # the driver files them under ConnectionError
    if isinstance(error, _TRANSIENT_ERRORS):
        return True
    # BUSY: a script of somebody else runs too long; the driver has no class for it
    return isinstance(error, ResponseError) and str(error).startswith("BUSY ")


async def execute(client: Redis, *args: str | bytes | int | float) -> Any:
    """Send one command and return its reply; raises the driver's errors.

    A cancellation always comes through. The driver sends inside asyncio.wait_for, which in
    Python 3.11 drops one that arrives when the sending has just ended: a loop that was
    cancelled once would go on for ever.
    """
    task = asyncio.current_task()
    asked_before = task.cancelling() if task else 0
    try:
        reply = await client.execute_command(*args)  # type: ignore[no-untyped-call]
    except Exception as error:
        if task and task.cancelling() > asked_before:
            raise asyncio.CancelledError from error
        raise
    if task and task.cancelling() > asked_before:
        raise asyncio.CancelledError
    return reply
