"""Connections to Redis: who connects, how a command travels, how long a call may take.

The driver connects: it knows URLs, TLS, credentials and the handshake. From there on a
command is packed and its reply parsed by hiredis, on the driver's own streams; the
driver's way around that costs five times as much per call. Nothing is sent twice here:
scripts.py repeats calls, because each script is made to be repeated.
"""

from __future__ import annotations

import asyncio
import builtins
from typing import Any

import hiredis
from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    ClusterDownError,
    ConnectionError,
    InvalidResponse,
    MasterDownError,
    ReadOnlyError,
    ResponseError,
    TimeoutError,
    TryAgainError,
)

from vqueue.errors import InvalidOption

#: What a queue, worker, reader or mirror accepts as its Redis.
RedisSource = str | Redis

Argument = str | bytes | int | float

#: Seconds for one reply of a command that does not block.
REPLY_TIMEOUT = 5.0
#: Seconds that a blocking read may take longer than it asked for.
BLOCK_MARGIN = 5.0

#: Connections of one client; further calls wait for a free one.
_CONNECTIONS = 16
_READ_BYTES = 1 << 16
#: Bytes that may wait for the socket before a call waits for them to leave.
_WRITE_AHEAD = 1 << 16

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

_NOT_YET = object()


class _Wire:
    """One connection: a command out, a reply in, one at a time."""

    def __init__(self, connection: AbstractConnection) -> None:
        self._connection = connection
        # the driver has no public name for the streams of a connection
        self._reader: asyncio.StreamReader = connection._reader  # type: ignore[assignment]
        self._writer: asyncio.StreamWriter = connection._writer  # type: ignore[assignment]
        self._replies = hiredis.Reader(
            protocolError=InvalidResponse,
            replyError=connection._parser.parse_error,
            notEnoughData=_NOT_YET,
        )

    @property
    def is_closed(self) -> bool:
        """Whether the server has closed the connection meanwhile."""
        return self._reader.at_eof() or self._writer.is_closing()

    async def call(self, args: tuple[Argument, ...]) -> Any:
        """Send a command and return its reply; an error reply is returned, too."""
        self._writer.write(hiredis.pack_command(args))  # type: ignore[arg-type]
        if self._writer.transport.get_write_buffer_size() > _WRITE_AHEAD:
            await self._writer.drain()
        while (reply := self._replies.gets()) is _NOT_YET:
            data = await self._reader.read(_READ_BYTES)
            if not data:
                raise ConnectionError("the server closed the connection")
            self._replies.feed(data)
        return reply

    def abort(self) -> None:
        """Close without waiting: an answer that may still come must not be read by anyone."""
        self._writer.transport.abort()
        self._connection._close()  # type: ignore[no-untyped-call]

    async def close(self) -> None:
        """Close in order."""
        await self._connection.disconnect()


class Client:
    """Connections to one server, made when they are needed, at most `connections`."""

    def __init__(
        self,
        connection_class: type[AbstractConnection],
        settings: dict[str, Any],
        *,
        reply_timeout: float,
        connections: int,
    ) -> None:
        self._connection_class = connection_class
        self._settings = settings
        self._reply_timeout = reply_timeout
        self._idle: list[_Wire] = []
        self._slots = asyncio.Semaphore(connections)
        self._closed = False

    async def execute(self, *args: Argument) -> Any:
        """Send one command and return its raw reply.

        Raises the driver's errors: ResponseError and its kinds for an error reply,
        ConnectionError, and TimeoutError when no reply comes in time; then the command may
        have been carried out. Safe to cancel.
        """
        async with self._slots:
            wire = await self._open_wire()
            answered = False
            try:
                async with asyncio.timeout(self._reply_timeout):
                    reply = await wire.call(args)
                answered = True
            except builtins.TimeoutError:
                raise TimeoutError(f"no reply within {self._reply_timeout:g} s") from None
            except OSError as error:
                raise ConnectionError(f"the connection broke off: {error}") from error
            finally:
                if answered and not self._closed:
                    self._idle.append(wire)
                else:
                    wire.abort()
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def _open_wire(self) -> _Wire:
        while self._idle:
            wire = self._idle.pop()
            if not wire.is_closed:
                return wire
            wire.abort()
        return await self._connect()

    async def _connect(self) -> _Wire:
        connection = self._connection_class(**self._settings)
        task = asyncio.current_task()
        asked_before = task.cancelling() if task else 0
        try:
            await connection.connect()  # type: ignore[no-untyped-call]
            # The driver's handshake sends inside asyncio.wait_for, which in Python 3.11 drops
            # a cancellation that arrives when the sending has just ended: a loop that was
            # cancelled once would go on for ever.
            if task and task.cancelling() > asked_before:
                raise asyncio.CancelledError
        except BaseException:
            connection._close()  # type: ignore[no-untyped-call]
            raise
        return _Wire(connection)

    async def aclose(self) -> None:
        """Close the connections; calls that are under way are not waited for."""
        self._closed = True
        while self._idle:
            await self._idle.pop().close()


def open_client(
    source: RedisSource,
    *,
    reply_timeout: float = REPLY_TIMEOUT,
    connect_timeout: float = 5.0,
    connections: int = _CONNECTIONS,
) -> Client:
    """Return a client of our own for a URL, or for the server that a client is bound to.

    The caller closes it; a client passed in is only asked for its connection settings
    (host, TLS, credentials), so its own time-outs and decoding do not matter here.
    Raises InvalidOption for a URL that the driver does not understand.
    """
    if isinstance(source, Redis):
        pool: ConnectionPool = source.connection_pool
    else:
        try:
            pool = ConnectionPool.from_url(source)
        except ValueError as error:
            raise InvalidOption(
                f"Redis URL is refused ({error}); write redis://host:port/db, "
                "rediss://… for TLS, or unix:///path"
            ) from None
    settings: dict[str, Any] = {
        **{
            key: value
            for key, value in pool.connection_kwargs.items()
            if key in _TAKEN_OVER or key.startswith("ssl_")
        },
        "protocol": 2,
        "decode_responses": False,
        "health_check_interval": 0,
        "socket_keepalive": True,
        "socket_timeout": reply_timeout,
        "socket_connect_timeout": connect_timeout,
        "retry": Retry(NoBackoff(), 0),
    }
    return Client(
        pool.connection_class, settings, reply_timeout=reply_timeout, connections=connections
    )


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
