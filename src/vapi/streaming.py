"""Responses that stream something which holds a resource."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from typing import Protocol

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send


class ClosableStream(Protocol):
    """Chunks, and the connection or subscription that they come from."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Iterate over the chunks."""

    async def aclose(self) -> None:
        """Give the resource up; safe to repeat, and before the first chunk."""


class StreamedResponse(StreamingResponse):
    """Sends a stream and closes it however the response ends; HEAD gets the headers alone."""

    def __init__(
        self, stream: ClosableStream, *, status_code: int = 200, headers: Mapping[str, str]
    ) -> None:
        super().__init__(stream, status_code, headers)
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        async with aclosing(self._stream):
            if scope["method"] == "HEAD":
                await send(
                    {
                        "type": "http.response.start",
                        "status": self.status_code,
                        "headers": self.raw_headers,
                    }
                )
                await send({"type": "http.response.body", "body": b""})
            else:
                await super().__call__(scope, receive, send)
