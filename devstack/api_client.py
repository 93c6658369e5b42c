"""The calls that a user of the HTTP API makes, with the standard library alone."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from typing import Any

#: The server sends a comment every 15 s when nothing happens.
EVENTS_TIMEOUT_S = 40.0
_TIMEOUT_S = 30.0


class ApiUnreachable(Exception):
    """No answer: the connection was refused, cut, or timed out."""


class ApiRefused(Exception):
    """The API has answered with an error; the message holds its own words."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoState:
    """What one server-sent event says about a video."""

    #: queued, processing, completed, failed or cancelled.
    status: str
    #: 0 to 100.
    progress: float

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen to the video."""
        return self.status in {"completed", "failed", "cancelled"}


class ApiClient:
    """A client of one API server; a connection per call."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self.url = f"http://{host}:{port}"

    def get(self, path: str) -> tuple[int, bytes]:
        """The status code and the body of a GET; raises ApiUnreachable."""
        with self._request("GET", path) as response:
            return response.status, response.read()

    def upload(self, video: Path) -> str:
        """POST a video file as a body; gives the new video's id. Not safe to repeat."""
        with video.open("rb") as body:
            headers = {"Content-Type": "video/mp4", "Content-Length": str(video.stat().st_size)}
            with self._request("POST", "/v1/videos", body=body, headers=headers) as response:
                return str(_document(response, expected=201)["id"])

    def video(self, video_id: str) -> dict[str, Any]:
        """The video as `GET /v1/videos/{id}` describes it."""
        with self._request("GET", f"/v1/videos/{video_id}") as response:
            return _document(response, expected=200)

    def states(self, video_id: str) -> Iterator[VideoState]:
        """Live states of a video: the present one at once, then each change, to the final one.

        Raises ApiUnreachable when nothing comes for EVENTS_TIMEOUT_S, or the stream ends early.
        """
        path = f"/v1/videos/{video_id}/events"
        with self._request("GET", path, timeout_s=EVENTS_TIMEOUT_S) as response:
            if response.status != 200:
                _document(response, expected=200)
            for line in response:
                if not line.startswith(b"data:"):
                    continue
                data = json.loads(line.removeprefix(b"data:"))
                state = VideoState(status=data["status"], progress=float(data["progress"] or 0))
                yield state
                if state.is_final:
                    return
        raise ApiUnreachable(f"{self.url}{path} ended before the video was done")

    @contextlib.contextmanager
    def _request(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        headers: dict[str, str] | None = None,
        timeout_s: float = _TIMEOUT_S,
    ) -> Iterator[HTTPResponse]:
        connection = HTTPConnection(self._host, self._port, timeout=timeout_s)
        try:
            connection.request(method, path, body, headers or {})
            yield connection.getresponse()
        except (HTTPException, OSError) as error:
            raise ApiUnreachable(f"{method} {self.url}{path}: {error}") from error
        finally:
            connection.close()


def _document(response: HTTPResponse, *, expected: int) -> dict[str, Any]:
    body = response.read()
    if response.status != expected:
        raise ApiRefused(f"the API refuses with {response.status}: {_reason(response, body)}")
    document: dict[str, Any] = json.loads(body)
    return document


def _reason(response: HTTPResponse, body: bytes) -> str:
    """The sentence that a problem (RFC 9457) has for people; what else it is, as it came."""
    if response.headers.get_content_type() == "application/problem+json":
        return str(json.loads(body)["detail"])
    return repr(body[:2000])
