"""Connections to Redis: how a command travels, and what happens when it came to the wrong server.

Nothing is sent twice here that may have been carried out: scripts.py repeats calls, because
each script is made to be repeated.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from redis.exceptions import (
    AskError,
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    ClusterDownError,
    ConnectionError,
    MasterDownError,
    MovedError,
    ReadOnlyError,
    ResponseError,
    TimeoutError,
    TryAgainError,
)

from vqueue.locating import Locator, is_wrong_server
from vqueue.sources import RedisSource, find_route
from vqueue.wire import Argument, Dialler, Wire

#: Seconds for one reply of a command that does not block.
REPLY_TIMEOUT = 5.0
#: Seconds that a blocking read may take longer than it asked for.
BLOCK_MARGIN = 5.0
#: Redirections of one command: of a slot that moves there are two or three.
_MOST_REDIRECTIONS = 8


class Client:
    """Sends commands to one server, over connections that are made when they are needed.

    Commands that do not block share one connection, on which they are sent without waiting
    for each other's replies. With `blocking` each call has a connection for itself. Which
    server it is, is asked before each connection: one that turns out to be the wrong one gets
    no further calls.
    """

    def __init__(
        self, locator: Locator, dialler: Dialler, *, blocking: bool, busy_poll: float = 0
    ) -> None:
        self._locator = locator
        self._dialler = dialler
        self._blocking = blocking
        self._busy_poll = busy_poll
        #: Connections that a call may use: at most one unless `blocking`.
        self._idle: list[Wire] = []
        #: The connection on which a single command was sent last that has it for itself.
        self._occupied: Wire | None = None
        self._connecting = asyncio.Lock()
        self._closed = False

    @property
    def is_cluster(self) -> bool:
        """Whether it works with one slot of a Cluster, and with no key of another one."""
        return self._locator.is_cluster

    @property
    def is_closed(self) -> bool:
        """Whether `aclose` was called."""
        return self._closed

    @property
    def place(self) -> str:
        """The kind of place that the server is, and where it was found last."""
        return self._locator.describe()

    async def execute(self, *args: Argument, on_sent: Callable[[], None] | None = None) -> Any:
        """Send one command and return its raw reply; `on_sent` is called when it is on its way,
        again when it is redirected, and only of a client that is `blocking`.

        Raises the driver's errors: ResponseError and its kinds for an error reply,
        ConnectionError, and TimeoutError when no reply comes in time; then the command may
        have been carried out. Safe to cancel: a blocking command ends with its connection, the
        reply to another one is dropped.
        """
        reply = await self._send(args, on_sent)
        if isinstance(reply, Exception):
            return await self._redirect(reply, args, on_sent)
        return reply

    def execute_behind(self, *args: Argument) -> asyncio.Future[Any] | None:
        """Send one command behind that for which `on_sent` was called last: Redis carries it out
        as soon as that one ends. Once for each.

        Its raw reply may be an error, as an exception. The future raises ConnectionError when the
        other command was cancelled; then this one may have been carried out. None when there is
        no such connection any more.
        """
        wire, self._occupied = self._occupied, None
        if wire is None or wire.is_closed:
            return None
        reply = wire.send(args)
        reply.add_done_callback(_look_at)  # nobody may come for it
        return reply

    async def execute_together(self, *commands: tuple[Argument, ...]) -> list[Any]:
        """Send commands back to back over a connection of their own; return their raw replies.

        Error replies are among them. Raises ConnectionError, and TimeoutError when the last
        reply does not come in time; then any of them may have been carried out. In a Cluster
        the first command names a key of the slot.
        """
        for _ in range(_MOST_REDIRECTIONS):
            wire, is_answered = await self._wire_alone(), False
            try:
                replies = await asyncio.gather(*(wire.call(args) for args in commands))
                is_answered = True
            finally:
                await self._give_back(wire, is_answered=is_answered)
            for reply in replies:
                if isinstance(reply, Exception):
                    self._heed(reply, wire)
            if not (self.is_cluster and isinstance(replies[0], MovedError)):
                break
        return replies

    async def _send(
        self, args: tuple[Argument, ...], on_sent: Callable[[], None] | None = None
    ) -> Any:
        if self._blocking:
            return await self._call_alone(args, on_sent)
        wire = self._idle[-1] if self._idle else None
        if wire is None or wire.is_closed:
            wire = await self._shared_wire()
        reply = await wire.call(args)
        if isinstance(reply, Exception):
            self._heed(reply, wire)
        return reply

    async def _redirect(
        self,
        error: Exception,
        args: tuple[Argument, ...],
        on_sent: Callable[[], None] | None,
    ) -> Any:
        """Send a command where a Cluster says that it belongs; MOVED and ASK did nothing.

        Raises the error when it is none of these, and the last one after too many of them.
        """
        for _ in range(_MOST_REDIRECTIONS):
            if not (self.is_cluster and isinstance(error, AskError)):
                break
            if isinstance(error, MovedError):
                reply = await self._send(args, on_sent)
            else:
                reply = await self._ask(error, args)
            if not isinstance(reply, Exception):
                return reply
            error = reply
        raise error

    async def _ask(self, ask: AskError, args: tuple[Argument, ...]) -> Any:
        """Send a command, once, to the node that its slot is on its way to."""
        wire = await self._dialler.dial((ask.host, ask.port))
        try:
            _, reply = await asyncio.gather(wire.call(("ASKING",)), wire.call(args))
            return reply
        finally:
            await wire.abort()

    def _heed(self, error: Exception, wire: Wire) -> None:
        """Give a connection up whose server says that it is the wrong one."""
        if is_wrong_server(error) and not wire.is_closed:
            wire.retire()
            self._locator.heed(error)

    async def _shared_wire(self) -> Wire:
        async with self._connecting:
            if not self._idle or self._idle[-1].is_closed:
                self._idle = [await self._connect()]
            return self._idle[-1]

    async def _call_alone(
        self, args: tuple[Argument, ...], on_sent: Callable[[], None] | None
    ) -> Any:
        wire, is_answered = await self._wire_alone(), False
        try:
            call = wire.send(args)
            self._occupied = wire
            if on_sent is not None:
                on_sent()
            reply = await call
            is_answered = True
        finally:
            if self._occupied is wire:
                self._occupied = None
            await self._give_back(wire, is_answered=is_answered)
        if isinstance(reply, Exception):
            self._heed(reply, wire)
        return reply

    async def _wire_alone(self) -> Wire:
        """Return a connection that no other call uses until it is given back."""
        while self._idle and self._idle[-1].is_closed:
            self._idle.pop()
        return self._idle.pop() if self._idle else await self._connect()

    async def _give_back(self, wire: Wire, *, is_answered: bool) -> None:
        if is_answered and not self._closed:
            self._idle.append(wire)
        else:
            await wire.abort()

    async def _connect(self) -> Wire:
        if self._closed:
            # no error of the driver's: those are waited out, and this does not pass
            raise RuntimeError("this object is closed: make a new one")
        wire = await self._dialler.dial(await self._locator.locate())
        try:
            await self._locator.admit(wire)
        except BaseException:
            await wire.abort()
            raise
        if self._busy_poll:
            wire.poll_busily(self._busy_poll)
        return wire

    async def aclose(self) -> None:
        """Close the connections when the calls that are under way have been answered."""
        self._closed = True
        while self._idle:
            await self._idle.pop().close()


def _look_at(reply: asyncio.Future[Any]) -> None:
    if not reply.cancelled():
        reply.exception()


def open_client(
    source: RedisSource,
    *,
    key: str = "",
    reply_timeout: float = REPLY_TIMEOUT,
    connect_timeout: float = 5.0,
    blocking: bool = False,
    busy_poll: float = 0,
) -> Client:
    """Return a client of our own for the servers that a URL names, or a client is bound to.

    Of a Cluster it is for the node that has `key`. `busy_poll` is how many seconds the reply to
    a lone call is looked for without a pause. The caller closes it; a client passed in is
    only asked for its connection settings (hosts, TLS, credentials), so its own time-outs and
    decoding do not matter here. Raises InvalidOption for a URL that is not understood.
    """
    route = find_route(
        source, key=key, reply_timeout=reply_timeout, connect_timeout=connect_timeout
    )
    return Client(route.locator, route.dialler, blocking=blocking, busy_poll=busy_poll)


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
#: The same, for replies that the driver has no class for: a script of somebody else runs too
#: long, too few replicas are there (min-replicas-to-write), a primary has become a replica.
_TRANSIENT_REPLIES = ("BUSY ", "NOREPLICAS ", "UNBLOCKED ")


def is_transient(error: Exception) -> bool:
    """Tell whether the same call may succeed later without anyone's doing."""
    if isinstance(error, (AuthenticationError, AuthorizationError)):
        return False  # the driver files them under ConnectionError
    if isinstance(error, _TRANSIENT_ERRORS):
        return True
    if isinstance(error, AskError):  # more redirections than are followed: the slot moves
        return not isinstance(error, MovedError)
    return isinstance(error, ResponseError) and str(error).startswith(_TRANSIENT_REPLIES)
