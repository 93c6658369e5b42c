"""HTTP that ends: answers that are read up to a moment, however slowly a server sends them.

A socket's own timeout begins anew with each byte, so that a server which drips one at a time could
hold its reader for ever. Here every wait for bytes, those of status and headers included, may last
as long as is left until the moment at the most.
"""

from __future__ import annotations

import io
import socket
import time
import urllib.request
from collections.abc import Callable
from functools import partial
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from typing import Any

#: Seconds in which a server must connect, and then send something.
SILENCE_S = 30.0


class TooSlow(Exception):
    """What was asked of a server did not come in time; the message says in which."""


class Deadline:
    """The moment up to which may be read."""

    def __init__(self, within_s: float) -> None:
        self._within_s = within_s
        self._ends = time.monotonic() + within_s

    def left_s(self) -> float:
        """Return how many seconds are left. Raises TooSlow when there are none."""
        left = self._ends - time.monotonic()
        if left <= 0:
            raise TooSlow(f"the server has not sent all within {self._within_s:g} s")
        return left


class _TimedSocket(io.RawIOBase):
    """What a server sends, up to the deadline."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline
        self._stream = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(min(SILENCE_S, self._deadline.left_s()))
        try:
            return self._stream.readinto(buffer)
        except TimeoutError:
            self._deadline.left_s()
            raise

    def close(self) -> None:
        self._stream.close()
        super().close()


class _TimedResponse(HTTPResponse):
    def __init__(self, deadline: Deadline, sock: socket.socket, *args: Any, **more: Any) -> None:
        super().__init__(sock, *args, **more)
        self.fp.close()
        self.fp = io.BufferedReader(_TimedSocket(sock, deadline))


class TimedHandler(urllib.request.HTTPSHandler, urllib.request.HTTPHandler):
    """Opens HTTP and HTTPS URLs whose answers raise TooSlow behind a deadline."""

    def __init__(self, deadline: Deadline) -> None:
        super().__init__()
        self._deadline = deadline

    def http_open(self, req: urllib.request.Request) -> HTTPResponse:
        """Return the answer. Raises TooSlow, and what `urllib` does."""
        return self._open(HTTPConnection, req)

    def https_open(self, req: urllib.request.Request) -> HTTPResponse:
        """Return the answer. Raises TooSlow, and what `urllib` does."""
        return self._open(HTTPSConnection, req)

    def _open(
        self, kind: Callable[..., HTTPConnection], req: urllib.request.Request
    ) -> HTTPResponse:
        def connection(host: str, **options: Any) -> HTTPConnection:
            made = kind(host, **options)
            made.response_class = partial(_TimedResponse, self._deadline)  # type: ignore[assignment]
            return made

        return self.do_open(connection, req)
