"""Run inside a sandbox: tries to get out, and prints as JSON how each attempt ended.

`captive.py OUTSIDE_FILE FORBIDDEN_FOLDER PORT WORKER_PID` with its own folder as the working one.
An attempt ends with "done", or with the name of the error that refused it. Uses the standard
library only, and no child process but the ones that it tries to make.
"""

import ctypes
import errno
import json
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)


def _read(path: str) -> object:
    return Path(path).read_bytes()


def _connect(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=5):
        pass


def _fork() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def _call(name: str, *arguments: object) -> None:
    if getattr(_libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _outcome(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, repr(error))
    return "done"


def main(outside: str, forbidden: str, port: str, worker: str) -> None:
    new_user = 0x10000000
    attempts: dict[str, Callable[[], object]] = {
        "read input": lambda: _read("input"),
        "write output": lambda: Path("output/segment").write_bytes(b"x"),
        "rename output": lambda: Path("output/segment").rename("output/done"),
        "read /etc/shadow": lambda: _read("/etc/shadow"),
        "read another job's file": lambda: _read(outside),
        "read the worker's environment": lambda: _read(f"/proc/{worker}/environ"),
        "write the input": lambda: Path("input").write_bytes(b"x"),
        "write beside the output": lambda: Path("beside").write_bytes(b"x"),
        "write another job's folder": lambda: Path(forbidden, "file").write_bytes(b"x"),
        "link out of the output": lambda: Path("output/link").symlink_to(outside),
        "make a pipe": lambda: os.mkfifo("output/pipe"),
        "change the mode of another job's file": lambda: Path(outside).chmod(0o777),
        "connect to the host": lambda: _connect(int(port)),
        "fork": _fork,
        "signal the worker": lambda: os.kill(int(worker), 0),
        "trace": lambda: _call("ptrace", 16, int(worker), 0, 0),
        "mount": lambda: _call("mount", b"none", b"/", b"tmpfs", 0, None),
        "new user namespace": lambda: _call("unshare", new_user),
    }
    ended = {name: _outcome(attempt) for name, attempt in attempts.items()}
    print(json.dumps({"attempts": ended, "environment": sorted(os.environ)}))  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
