"""Connections to Redis: who connects, how a command travels, how long a call may take.

The driver connects: it knows URLs, TLS, credentials and the handshake. From there on a
command is packed and its reply parsed by hiredis, on the driver's own transport; the
driver's way around that costs five times as much per call. Nothing is sent twice here:
scripts.py repeats calls, because each script is made to be repeated.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

import hiredis
from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection, UnixDomainSocketConnection
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


class _Wire(asyncio.Protocol):
    """One connection: commands out, replies in, in the same order.

    The driver makes the connection; from then on its transport reports here.
    """

    def __init__(self, connection: AbstractConnection, reply_timeout: float) -> None:
        self._connection = connection
        self._reply_timeout = reply_timeout
        self._loop = asyncio.get_running_loop()
        self._replies = hiredis.Reader(
            protocolError=InvalidResponse,
            replyError=connection._parser.parse_error,
            notEnoughData=_NOT_YET,
        )
        #: Calls without a reply yet, each with the time at which it has waited too long.
        self._calls: deque[tuple[asyncio.Future[Any], float]] = deque()
        self._watch: asyncio.TimerHandle | None = None
        self._may_write: asyncio.Future[None] | None = None
        self._closing = False
        self._closed = self._loop.create_future()
        # the driver has no public name for the streams of a connection
        writer: asyncio.StreamWriter = connection._writer  # type: ignore[assignment]
        self._transport = writer.transport
        self._transport.set_protocol(self)

    @property
    def is_closed(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._closing or self._transport.is_closing()

    async def call(self, args: tuple[Argument, ...]) -> Any:
        """Send a command and return its reply; an error reply is returned, too."""
        while self._may_write is not None:
            await asyncio.shield(self._may_write)
        call: asyncio.Future[Any] = self._loop.create_future()
        self._calls.append((call, self._loop.time() + self._reply_timeout))
        self._transport.write(hiredis.pack_command(args))  # type: ignore[arg-type]
        if self._watch is None:
            self._watch = self._loop.call_later(self._reply_timeout, self._look_for_late_replies)
        return await call

    def data_received(self, data: bytes) -> None:
        """Hand replies to the calls that wait for them."""
        self._replies.feed(data)
        try:
            while (reply := self._replies.gets()) is not _NOT_YET:
                call, _ = self._calls.popleft()
                if not call.done():
                    call.set_result(reply)
        except (InvalidResponse, IndexError) as error:
            self._fail(ConnectionError(f"the server sent what is no reply: {error!r}"))
        if self._closing and not self._calls:
            self._transport.close()

    def _look_for_late_replies(self) -> None:
        self._watch = None
        if not self._calls:
            return
        _, deadline = self._calls[0]
        if self._loop.time() >= deadline:
            self._fail(TimeoutError(f"no reply within {self._reply_timeout:g} s"))
        else:
            self._watch = self._loop.call_at(deadline, self._look_for_late_replies)

    def _fail(self, error: Exception) -> None:
        """End the connection: a reply that may still come must not be read by anyone."""
        self._transport.abort()
        while self._calls:
            call, _ = self._calls.popleft()
            if not call.done():
                call.set_exception(error)

    def pause_writing(self) -> None:
        """Keep further calls until the socket has taken what is there."""
        self._may_write = self._loop.create_future()

    def resume_writing(self) -> None:
        """Let calls go on."""
        if self._may_write is not None and not self._may_write.done():
            self._may_write.set_result(None)
        self._may_write = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the calls that wait."""
        self._fail(ConnectionError(f"the connection broke off: {exc or 'closed by the server'}"))
        self.resume_writing()
        if self._watch is not None:
            self._watch.cancel()
        self._connection._close()  # type: ignore[no-untyped-call]
        if not self._closed.done():
            self._closed.set_result(None)

    async def abort(self) -> None:
        """Close without waiting for replies; returns when the socket is closed.

        What is sent over another connection afterwards finds the server free of a command
        that blocks on this one.
        """
        self._fail(ConnectionError("the connection was closed"))
        await asyncio.shield(self._closed)

    async def close(self) -> None:
        """Close when the calls that are under way have been answered."""
        self._closing = True
        if not self._calls:
            self._transport.close()
        await asyncio.shield(self._closed)


class Client:
    """Sends commands to one server, over connections that are made when they are needed.

    Commands that do not block share one connection, on which they are sent without waiting
    for each other's replies. With `blocking` each call has a connection for itself.
    """

    def __init__(
        self,
        connection_class: type[AbstractConnection],
        settings: dict[str, Any],
        *,
        reply_timeout: float,
        blocking: bool,
    ) -> None:
        self._connection_class = connection_class
        self._settings = settings
        self._reply_timeout = reply_timeout
        self._blocking = blocking
        #: Connections that a call may use: at most one unless `blocking`.
        self._idle: list[_Wire] = []
        self._connecting = asyncio.Lock()
        self._closed = False

    async def execute(self, *args: Argument) -> Any:
        """Send one command and return its raw reply.

        Raises the driver's errors: ResponseError and its kinds for an error reply,
        ConnectionError, and TimeoutError when no reply comes in time; then the command may
        have been carried out. Safe to cancel: a blocking command ends with its connection, the
        reply to another one is dropped.
        """
        if self._blocking:
            (reply,) = await self._call_alone(args)
        else:
            reply = await self._call(args)
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def execute_together(self, *commands: tuple[Argument, ...]) -> list[Any]:
        """Send commands back to back over a connection of their own; return their raw replies.

        Error replies are among them. Raises ConnectionError, and TimeoutError when the last
        reply does not come in time; then any of them may have been carried out.
        """
        return await self._call_alone(*commands)

    async def _call(self, args: tuple[Argument, ...]) -> Any:
        wire = self._idle[-1] if self._idle else None
        if wire is None or wire.is_closed:
            wire = await self._shared_wire()
        return await wire.call(args)

    async def _shared_wire(self) -> _Wire:
        async with self._connecting:
            if not self._idle or self._idle[-1].is_closed:
                self._idle = [await self._connect()]
            return self._idle[-1]

    async def _call_alone(self, *commands: tuple[Argument, ...]) -> list[Any]:
        while self._idle and self._idle[-1].is_closed:
            self._idle.pop()
        wire = self._idle.pop() if self._idle else await self._connect()
        answered = False
        try:
            replies = await asyncio.gather(*(wire.call(args) for args in commands))
            answered = True
            return replies
        finally:
            if answered and not self._closed:
                self._idle.append(wire)
            else:
                await wire.abort()

    async def _connect(self) -> _Wire:
        if self._closed:
            # no error of the driver's: those are waited out, and this does not pass
            raise RuntimeError("this object is closed: make a new one")
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
        return _Wire(connection, self._reply_timeout)

    async def aclose(self) -> None:
        """Close the connections when the calls that are under way have been answered."""
        self._closed = True
        while self._idle:
            await self._idle.pop().close()


def open_client(
    source: RedisSource,
    *,
    reply_timeout: float = REPLY_TIMEOUT,
    connect_timeout: float = 5.0,
    blocking: bool = False,
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
        "socket_timeout": reply_timeout,
        "socket_connect_timeout": connect_timeout,
        "retry": Retry(NoBackoff(), 0),
    }
    if not issubclass(pool.connection_class, UnixDomainSocketConnection):
        settings["socket_keepalive"] = True
    return Client(pool.connection_class, settings, reply_timeout=reply_timeout, blocking=blocking)


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
