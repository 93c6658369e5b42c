"""Where a published video is read from: a folder, or a web server. Blocking.

Every read has a bound: what is checked may be anybody's, and shall neither fill the memory nor
keep its reader for ever.
"""

from __future__ import annotations

import urllib.request
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage, HTTPResponse, IncompleteRead
from pathlib import Path
from typing import IO, Protocol
from urllib.parse import urljoin, urlsplit

from vworker.media.check.deadline import SILENCE_S, Deadline, TimedHandler

_PARTIAL_CONTENT = 206


class Absent(Exception):
    """There is no such file, or it cannot be had; the message says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ByteRange:
    """A part of a file, in bytes."""

    offset: int
    length: int

    @property
    def end(self) -> int:
        """Return the offset of the first byte behind it."""
        return self.offset + self.length

    def __str__(self) -> str:
        """Return it as EXT-X-BYTERANGE has it."""
        return f"{self.length}@{self.offset}"


class Files(Protocol):
    """The files of one video, by their URI from the master playlist."""

    def read(self, uri: str, *, most_bytes: int, part: ByteRange | None = None) -> bytes:
        """Return a file's bytes, or those of a part. Raises Absent, also beyond `most_bytes`."""

    def content_type(self, uri: str) -> str | None:
        """Return the type under which a file that was read came, None where there is no such."""


class Folder:
    """A folder on disk; nothing outside of it is read."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def read(self, uri: str, *, most_bytes: int, part: ByteRange | None = None) -> bytes:
        """Return a file's bytes, or those of a part. Raises Absent, also beyond `most_bytes`."""
        path = (self._root / uri).resolve()
        if not path.is_relative_to(self._root):
            raise Absent("it lies outside of the folder")
        try:
            with path.open("rb") as file:
                if part is None:
                    return _bounded(file.read(most_bytes + 1), most_bytes)
                file.seek(part.offset)
                return _whole(file.read(min(part.length, most_bytes + 1)), part, most_bytes)
        except (OSError, OverflowError, ValueError) as error:
            raise Absent(f"it cannot be read: {error}") from error

    def content_type(self, uri: str) -> str | None:
        """Return None: a disk keeps no types."""
        return None


class _OnOneServer(urllib.request.HTTPRedirectHandler):
    """Follows no redirect to another server, which may be one that only this machine reaches."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        # Else all that comes with the redirect would be read, without a bound.
        fp.close()
        if urlsplit(newurl)[:2] != urlsplit(req.full_url)[:2]:
            raise Absent(f"it leads to {newurl}, on another server")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class Site:
    """A web server; `base` is the URL that URIs are relative to.

    All reads together may take `within_s` seconds; a connection or a pause, half a minute.
    """

    def __init__(self, base: str, *, within_s: float) -> None:
        self._base = base
        self._types: dict[str, str] = {}
        self._deadline = Deadline(within_s)
        self._opener = urllib.request.build_opener(_OnOneServer, TimedHandler(self._deadline))

    def read(self, uri: str, *, most_bytes: int, part: ByteRange | None = None) -> bytes:
        """Return a file's bytes, or those of a part.

        Raises Absent, also beyond `most_bytes` and for another server or protocol; TooSlow when
        the time for all reads is over.
        """
        silence_s = min(SILENCE_S, self._deadline.left_s())
        url = urljoin(self._base, uri)
        if urlsplit(url)[:2] != urlsplit(self._base)[:2]:
            raise Absent("it lies on another server")
        try:
            request = urllib.request.Request(url)  # noqa: S310 - the scheme is the one of the base
            if part is not None:
                request.add_header("Range", f"bytes={part.offset}-{part.end - 1}")
            with self._opener.open(request, timeout=silence_s) as answer:
                self._types[uri] = answer.headers.get_content_type()
                body = _body(answer, most_bytes)
                if part is None:
                    return body
                if answer.status != _PARTIAL_CONTENT:
                    # A server that knows no ranges sends all.
                    body = body[part.offset : part.end]
                return _whole(body, part, most_bytes)
        except (OSError, HTTPException, ValueError) as error:
            raise Absent(f"it cannot be loaded: {error}") from error

    def content_type(self, uri: str) -> str | None:
        """Return the media type that the server named."""
        return self._types.get(uri)


def _body(answer: HTTPResponse, most_bytes: int) -> bytes:
    body = _bounded(answer.read(most_bytes + 1), most_bytes)
    # With a bound, `read` says nothing when the server breaks off.
    if answer.length:
        raise IncompleteRead(body, answer.length)
    return body


def _bounded(data: bytes, most_bytes: int) -> bytes:
    if len(data) > most_bytes:
        raise Absent(f"it is larger than {most_bytes >> 20} MiB, more is not read")
    return data


def _whole(data: bytes, part: ByteRange, most_bytes: int) -> bytes:
    if len(_bounded(data, most_bytes)) != part.length:
        raise Absent(f"its range {part} holds {len(data)} bytes: the file is shorter")
    return data
