"""A TCP relay before a Redis that counts commands and loses a chosen reply."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

_COMMAND = re.compile(rb"\*\d+\r\n\$\d+\r\n(\w+)\r\n")


class LossyRedis:
    """Relays connections to one server; start it with `lossy_redis`."""

    def __init__(self, redis_url: str) -> None:
        self._target = urlsplit(redis_url)
        self._marker: bytes | None = None
        self._refused: bytes | None = None
        #: URL of the relay.
        self.url = ""
        #: What clients have sent, in the order in which it came.
        self.received = bytearray()
        #: Connections that were made.
        self.connections = 0
        #: Set once the command was sent whose reply is to be lost.
        self.is_sent = asyncio.Event()
        #: Set once a reply was lost.
        self.reply_lost = asyncio.Event()
        #: While it is cleared the server does not learn that a client has gone.
        self.tells_of_ends = asyncio.Event()
        self.tells_of_ends.set()

    @property
    def commands(self) -> list[bytes]:
        """Names of the commands that clients have sent, in their order."""
        return [bytes(name) for name in _COMMAND.findall(self.received)]

    def lose_reply_to(self, marker: str) -> None:
        """Break the connection once the server has answered the next command with `marker`."""
        self._marker = marker.encode()
        self.is_sent.clear()
        self.reply_lost.clear()

    def refuse(self, marker: str) -> None:
        """Break the connection at the next command with `marker`, before the server gets it."""
        self._refused = marker.encode()
        self.reply_lost.clear()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Relay one connection until either end closes it."""
        self.connections += 1
        replies, requests = await asyncio.open_connection(self._target.hostname, self._target.port)
        losing = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass_requests(reader, requests, losing))
                group.create_task(self._pass_replies(replies, writer, losing))
        finally:
            requests.close()
            writer.close()

    async def _pass_requests(
        self, reader: asyncio.StreamReader, requests: asyncio.StreamWriter, losing: asyncio.Event
    ) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(1 << 20):
                self.received += data
                if self._refused is not None and self._refused in data:
                    self._refused = None
                    self.reply_lost.set()
                    break
                if self._marker is not None and self._marker in data:
                    self._marker = None
                    self.is_sent.set()
                    losing.set()
                requests.write(data)
        await self.tells_of_ends.wait()
        requests.close()

    async def _pass_replies(
        self, replies: asyncio.StreamReader, writer: asyncio.StreamWriter, losing: asyncio.Event
    ) -> None:
        with suppress(ConnectionError):
            while data := await replies.read(1 << 20):
                if losing.is_set():
                    # the command was carried out, and its sender will not know
                    writer.transport.abort()
                    self.reply_lost.set()
                    return
                writer.write(data)
        writer.close()


@asynccontextmanager
async def lossy_redis(redis_url: str) -> AsyncIterator[LossyRedis]:
    """Run a relay to a server on a free loopback port."""
    relay = LossyRedis(redis_url)
    server = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    relay.url = urlsplit(redis_url)._replace(netloc=f"127.0.0.1:{port}").geturl()
    try:
        yield relay
    finally:
        server.close()
