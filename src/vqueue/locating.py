"""Locators: at which server a queue is now. One is asked before each new connection.

A connection that turns out to lead to the wrong server is given up, and the next one is made
where the locator says then; that is the whole of failing over, for every topology.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from typing import Any

from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    ClusterDownError,
    ConnectionError,
    MasterDownError,
    MovedError,
    ReadOnlyError,
)

from vqueue.wire import Address, Dialler, Wire


def is_wrong_server(error: Exception) -> bool:
    """Tell whether an error reply means that another server has the queue by now."""
    if isinstance(error, (ReadOnlyError, MovedError, ClusterDownError, MasterDownError)):
        return True
    # a blocking command on a primary that becomes a replica; the driver has no class for it
    return str(error).startswith("UNBLOCKED ")


class Locator:
    """One server, at the address that the dialler knows."""

    #: Whether MOVED and ASK are followed, and only keys of one slot can be used together.
    is_cluster = False

    async def locate(self) -> Address | None:
        """Return the server's address, None for the dialler's own. Raises ConnectionError."""
        return None

    async def admit(self, wire: Wire) -> None:
        """Return if a new connection leads where it should. Raises ConnectionError."""

    def heed(self, error: Exception) -> None:
        """Learn from an error reply for which `is_wrong_server` is true."""

    def describe(self) -> str:
        """Return what kind of place it is, and where it was found last."""
        return "one server"


class _AskingLocator(Locator, ABC):
    """Asks servers that know, one after the other; who knew last is asked first."""

    def __init__(self, dialler: Dialler, known: Sequence[Address], *, what: str) -> None:
        self._dialler = dialler
        self._known = deque(known)
        #: What is looked for, in messages.
        self._what = what
        self._found: Address | None = None

    async def _ask(self, *command: str) -> Address:
        failures = []
        for asked in tuple(self._known):
            try:
                found = self._understand(await self._ask_one(asked, command), asked)
            except (AuthenticationError, AuthorizationError) as error:
                raise type(error)(f"{_named(asked)}, asked for {self._what}: {error}") from error
            except (ConnectionError, OSError) as error:
                failures.append(f"{_named(asked)}: {error}")
                self._distrust(asked)
            else:
                self._found = found
                return found
        raise ConnectionError(f"nobody knows {self._what} ({'; '.join(failures)})")

    async def _ask_one(self, asked: Address, command: tuple[str, ...]) -> Any:
        wire = await self._dialler.dial(asked)
        try:
            reply = await wire.call(command)
        finally:
            await wire.abort()
        if isinstance(reply, Exception):
            raise reply
        return reply

    @abstractmethod
    def _understand(self, reply: Any, asked: Address) -> Address:
        """Return the address that a reply of `asked` names. Raises ConnectionError if none."""

    def _distrust(self, asked: Address) -> None:
        self._known.remove(asked)
        self._known.append(asked)

    def _distrust_last(self) -> None:
        self._known.rotate(-1)

    def _at(self) -> str:
        return f"at {_named(self._found)}" if self._found else "not found yet"


class SentinelLocator(_AskingLocator):
    """The primary of a service that Sentinels watch."""

    def __init__(self, dialler: Dialler, sentinels: Sequence[Address], *, service: str) -> None:
        super().__init__(dialler, sentinels, what=f"the primary of {service!r}")
        self._service = service

    async def locate(self) -> Address:
        """Ask for the primary."""
        return await self._ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._service)

    def _understand(self, reply: Any, asked: Address) -> Address:
        if reply is None:
            raise ConnectionError("watches no service of that name")
        host, port = reply
        return host.decode(), int(port)

    async def admit(self, wire: Wire) -> None:
        """Refuse what is no primary: a Sentinel may not have heard of a failover yet."""
        role = await wire.call(("ROLE",))
        if isinstance(role, Exception):
            raise role
        if role[0] != b"master":
            self._distrust_last()
            raise ConnectionError(
                f"{self._what} is said to be {self._at()}, which is a {role[0].decode()}"
            )

    def describe(self) -> str:
        """Return the service and its primary."""
        return f"Sentinel, {self._what} {self._at()}"


class ClusterLocator(_AskingLocator):
    """The node of a Cluster that has a slot."""

    is_cluster = True

    def __init__(self, dialler: Dialler, nodes: Sequence[Address], *, slot: int) -> None:
        super().__init__(dialler, nodes, what=f"the node of slot {slot}")
        self._slot = slot
        self._seeds = tuple(nodes)
        #: Where MOVED has sent us: other nodes may hear of it later.
        self._moved_to: Address | None = None

    async def locate(self) -> Address:
        """Return where MOVED led to, once; otherwise ask."""
        if self._moved_to is not None:
            self._found, self._moved_to = self._moved_to, None
            return self._found
        return await self._ask("CLUSTER", "SLOTS")

    def _understand(self, reply: Any, asked: Address) -> Address:
        nodes: list[Address] = []
        found: Address | None = None
        for first, last, *served_by in reply:
            # a node that does not know its own name says nothing: it is the one that was asked
            addresses = [((host or b"").decode() or asked[0], port) for host, port, *_ in served_by]
            nodes += addresses
            if first <= self._slot <= last:
                found = addresses[0]
        if found is None:
            raise ConnectionError("no node has it")
        # the seeds may be gone one day, and so may the nodes of today
        self._known = deque(dict.fromkeys((asked, *nodes, *self._seeds)))
        return found

    def heed(self, error: Exception) -> None:
        """Go where MOVED says, and ask somebody else after CLUSTERDOWN."""
        if isinstance(error, MovedError):
            self._moved_to = (error.host, error.port) if error.host else None
        else:
            self._distrust_last()

    def describe(self) -> str:
        """Return the slot and its node."""
        return f"Cluster, {self._what} {self._at()}"


def _named(address: Address) -> str:
    return f"{address[0]}:{address[1]}"
