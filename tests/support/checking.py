"""`python -m vworker check` as a process, and web servers for what it checks."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.support.published import MASTER
from vworker.contract import CONTENT_TYPES


def run_check(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "vworker", "check", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class Handler(SimpleHTTPRequestHandler):
    """Serves files under the right types, and knows no ranges."""

    extensions_map = CONTENT_TYPES

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def served(folder: Path, handler: Callable[..., Handler]) -> Iterator[str]:
    """Serve a folder on loopback; give the master playlist's URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/{MASTER}"
        finally:
            server.shutdown()
            thread.join()
