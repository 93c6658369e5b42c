"""The API alone, as a process: no worker takes what it accepts."""

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from devstack.ports import free_ports
from devstack.process import ChildProcess

_START_DEADLINE_S = 30.0
#: Where the code is; no answer may tell.
_ROOT = str(Path(__file__).parents[2])
_POLL_INTERVAL_S = 0.02
#: A request is answered within a second while a backend is away; the rest is for a busy machine.
ANSWER_BOUND_S = 1.5


class Api:
    """One `python -m vapi`."""

    def __init__(self, environ: Mapping[str, str], folder: Path) -> None:
        (port,) = free_ports(1)
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.log_path = folder / f"api-{port}.log"
        self.process = ChildProcess(
            [sys.executable, "-m", "vapi", "--port", str(port)],
            log_path=self.log_path,
            environ=environ,
        )

    @property
    def log(self) -> str:
        """What it has written."""
        return self.log_path.read_text(errors="replace")

    def wait_for(self, path: str) -> None:
        """Return when a path answers 200."""
        deadline = time.monotonic() + _START_DEADLINE_S
        with httpx.Client(base_url=self.url, timeout=5) as client:
            while True:
                try:
                    if client.get(path).status_code == 200:
                        return
                except httpx.TransportError:
                    assert self.process.exit_code is None, self.log
                assert time.monotonic() < deadline, f"{path} is not ready: {self.log}"
                time.sleep(_POLL_INTERVAL_S)

    def client(self, **options: Any) -> httpx.AsyncClient:
        """Return a client, to be closed by the caller."""
        return httpx.AsyncClient(base_url=self.url, **{"timeout": 15, **options})


@contextmanager
def running_api(
    environ: Mapping[str, str], folder: Path, *, until: str = "/readyz"
) -> Iterator[Api]:
    """Run an API until the context ends; `until` is the path that has to answer first."""
    api = Api(environ, folder)
    try:
        api.wait_for(until)
        yield api
    finally:
        api.process.stop(10)


def assert_problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """Check that an answer is a problem document of RFC 9457, and return it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"].endswith(".")
    for inside in ("Traceback", "127.0.0.1", "site-packages", _ROOT):
        assert inside not in answer.text
    return problem
