"""Wires: connections on which commands travel, and the dialler that makes them.

The driver connects: it knows URLs, TLS, credentials and the handshake. From there on a
command is packed and its reply parsed by hiredis, on the driver's own transport; the
driver's way around that costs five times as much per call.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Any

import hiredis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError, InvalidResponse, TimeoutError

from vqueue.busy_polling import BusyPoll

Argument = str | bytes | int | float

#: Host and port of a server.
Address = tuple[str, int]

_NOT_YET = object()


class Wire(asyncio.Protocol):
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
        self._busy_poll: BusyPoll | None = None
        self._closing = False
        self._closed = self._loop.create_future()
        # the driver has no public name for the streams of a connection
        writer: asyncio.StreamWriter = connection._writer  # type: ignore[assignment]
        self._transport = writer.transport
        self._transport.set_protocol(self)

    def poll_busily(self, seconds: float) -> None:
        """Look for the reply to a call that is alone under way for so long, in a loop turn of its
        own: what else is ready then, goes before."""
        self._busy_poll = BusyPoll(self._transport.get_extra_info("socket").fileno(), seconds)

    @property
    def is_closed(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._closing or self._transport.is_closing()

    async def call(self, args: tuple[Argument, ...]) -> Any:
        """Send a command and return its reply; an error reply is returned, too."""
        while self._may_write is not None:
            await asyncio.shield(self._may_write)
        return await self.send(args)

    def send(self, args: tuple[Argument, ...]) -> asyncio.Future[Any]:
        """Send a command at once, also when the socket takes no more: for one that is small."""
        call: asyncio.Future[Any] = self._loop.create_future()
        self._calls.append((call, self._loop.time() + self._reply_timeout))
        self._transport.write(hiredis.pack_command(args))  # type: ignore[arg-type]
        if self._watch is None:
            self._watch = self._loop.call_later(self._reply_timeout, self._look_for_late_replies)
        if self._busy_poll is not None and len(self._calls) == 1:
            self._loop.call_soon(self._wait_busily)
        return call

    def _wait_busily(self) -> None:
        # with several the server is at work, and so is this process
        if self._busy_poll is not None and len(self._calls) == 1 and not self.is_closed:
            self._busy_poll.wait()

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

    def retire(self) -> None:
        """Take no further calls, and close when those under way have been answered."""
        self._closing = True
        if not self._calls:
            self._transport.close()

    async def abort(self) -> None:
        """Close without waiting for replies; returns when the socket is closed.

        What is sent over another connection afterwards finds the server free of a command
        that blocks on this one.
        """
        self._fail(ConnectionError("the connection was closed"))
        await asyncio.shield(self._closed)

    async def close(self) -> None:
        """Close when the calls that are under way have been answered."""
        self.retire()
        await asyncio.shield(self._closed)


class Dialler:
    """Makes connections: knows how to get into a server, by default also where one is."""

    def __init__(
        self,
        connection_class: type[AbstractConnection],
        settings: Mapping[str, Any],
        *,
        reply_timeout: float,
    ) -> None:
        self._connection_class = connection_class
        self._settings = settings
        self._reply_timeout = reply_timeout

    async def dial(self, address: Address | None = None) -> Wire:
        """Connect to the server at `address`, or to the one that the settings name.

        Raises the driver's errors, ConnectionError and TimeoutError among them.
        """
        settings = dict(self._settings)
        if address is not None:
            settings["host"], settings["port"] = address
        connection = self._connection_class(**settings)
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
        return Wire(connection, self._reply_timeout)
