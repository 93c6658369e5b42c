"""Where a published video is read from: a folder, or a web server. Blocking."""

from __future__ import annotations

import urllib.request
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO, Protocol
from urllib.parse import urljoin, urlsplit

_TIMEOUT_S = 30.0


class Absent(Exception):
    """There is no such file, or it cannot be had; the message says why."""


class Files(Protocol):
    """The files of one video, by their URI from the master playlist."""

    def read(self, uri: str) -> bytes:
        """Return a file's bytes. Raises Absent."""

    def content_type(self, uri: str) -> str | None:
        """Return the type under which a file that was read came, None where there is no such."""


class Folder:
    """A folder on disk; nothing outside of it is read."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def read(self, uri: str) -> bytes:
        """Return a file's bytes. Raises Absent."""
        path = (self._root / uri).resolve()
        if not path.is_relative_to(self._root):
            raise Absent("it lies outside of the folder")
        try:
            return path.read_bytes()
        except (OSError, ValueError) as error:
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
        if urlsplit(newurl)[:2] != urlsplit(req.full_url)[:2]:
            fp.close()
            raise Absent(f"it leads to {newurl}, on another server")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class Site:
    """A web server; `base` is the URL that URIs are relative to."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._types: dict[str, str] = {}
        self._opener = urllib.request.build_opener(_OnOneServer)

    def read(self, uri: str) -> bytes:
        """Return a file's bytes. Raises Absent, also for another server or protocol."""
        url = urljoin(self._base, uri)
        if urlsplit(url)[:2] != urlsplit(self._base)[:2]:
            raise Absent("it lies on another server")
        try:
            with self._opener.open(url, timeout=_TIMEOUT_S) as answer:
                self._types[uri] = answer.headers.get_content_type()
                body: bytes = answer.read()
                return body
        except (OSError, HTTPException, ValueError) as error:
            raise Absent(f"it cannot be loaded: {error}") from error

    def content_type(self, uri: str) -> str | None:
        """Return the media type that the server named."""
        return self._types.get(uri)
