"""A TCP relay in front of a real server: breaks connections or holds replies on demand."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit


class Relay:
    """Passes bytes on between clients and one server; start it with `relay_to`."""

    def __init__(self, endpoint_url: str) -> None:
        self._target = urlsplit(endpoint_url)
        self._open: set[asyncio.StreamWriter] = set()
        #: Cleared, it keeps the server's replies from the clients.
        self.replies_pass = asyncio.Event()
        self.replies_pass.set()
        #: Set when a reply is being kept.
        self.reply_kept = asyncio.Event()
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Relay one connection until either end closes it."""
        replies, requests = await asyncio.open_connection(self._target.hostname, self._target.port)
        self._open.update((writer, requests))
        async with asyncio.TaskGroup() as group:
            group.create_task(self._copy(reader, requests))
            group.create_task(self._copy(replies, writer, held=True))

    async def _copy(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, held: bool = False
    ) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                if held and not self.replies_pass.is_set():
                    self.reply_kept.set()
                    await self.replies_pass.wait()
                writer.write(data)
                await writer.drain()
        writer.close()

    def break_connections(self) -> None:
        """Break off every connection that is open; new ones are accepted."""
        for writer in self._open:
            writer.transport.abort()
        self._open.clear()


@asynccontextmanager
async def relay_to(endpoint_url: str) -> AsyncIterator[Relay]:
    """Run a relay to a server on a free loopback port; its address is `Relay.url`."""
    relay = Relay(endpoint_url)
    async with await asyncio.start_server(relay.serve, "127.0.0.1", 0) as server:
        relay.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield relay
        relay.replies_pass.set()
        relay.break_connections()
