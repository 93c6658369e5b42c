"""Run inside a sandbox: tries to get out, and prints as JSON how each attempt ended.

`captive.py OUTSIDE_FILE FORBIDDEN_FOLDER PORT UNIX_SOCKET WORKER_PID` with its own folder as the
working one.
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


def _move(target: Path) -> None:
    source = Path("output/movable")
    source.write_bytes(b"x")
    try:
        source.rename(target)
    finally:
        source.unlink(missing_ok=True)


def _send(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"x", ("127.0.0.1", port))


def _connect_locally(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)


def _spawn() -> None:
    shell = "/bin/sh"
    os.waitpid(os.posix_spawn(shell, [shell, "-c", ":"], {}), 0)


def _set_up_ring() -> None:
    os.close(_called("syscall", 425, 1, ctypes.create_string_buffer(120)))


def _read_memory(worker: int) -> None:
    class Part(ctypes.Structure):
        _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))

    # Where the worker has nothing: only whether one may ask is of interest.
    own, its = Part(ctypes.addressof(ctypes.create_string_buffer(8)), 8), Part(1, 8)
    try:
        _called("process_vm_readv", worker, ctypes.byref(own), 1, ctypes.byref(its), 1, 0)
    except OSError as error:
        if error.errno != errno.EFAULT:
            raise


def _fork() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def _called(name: str, *arguments: object) -> int:
    result = int(getattr(_libc, name)(*arguments))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def _outcome(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, repr(error))
    return "done"


def main(outside: str, forbidden: str, port: str, local: str, worker: str) -> None:
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
        "move a file out of the output": lambda: _move(Path(forbidden, "moved")),
        "link another job's file": lambda: Path("output/hard").hardlink_to(outside),
        "remove another job's file": lambda: Path(forbidden, "removable").unlink(),
        "list another job's folder": lambda: os.listdir(forbidden),  # noqa: PTH208
        "change the time of another job's file": lambda: os.utime(outside),
        "connect to the host": lambda: _connect(int(port)),
        "send a datagram": lambda: _send(int(port)),
        "connect to a local socket": lambda: _connect_locally(local),
        "set up an io_uring": _set_up_ring,
        "fork": _fork,
        "start a shell": _spawn,
        "read the worker's memory": lambda: _read_memory(int(worker)),
        "signal the worker": lambda: os.kill(int(worker), 0),
        "trace": lambda: _called("ptrace", 16, int(worker), 0, 0),
        "mount": lambda: _called("mount", b"none", b"/", b"tmpfs", 0, None),
        "new user namespace": lambda: _called("unshare", new_user),
    }
    ended = {name: _outcome(attempt) for name, attempt in attempts.items()}
    print(json.dumps({"attempts": ended, "environment": sorted(os.environ)}))  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
