"""The API and the worker as separate processes, started the way an operator starts them."""

import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from devstack.api_client import ApiClient, ApiUnreachable
from devstack.ports import LOOPBACK, free_ports, is_free
from devstack.process import ChildProcess, log_tail

_READY_WITHIN_S = 60.0
_POLL_INTERVAL_S = 0.05
_STOP_GRACE_S = 15.0
_DEFAULT_API_PORT = 8000


class DaemonFailed(Exception):
    """The API or the worker has ended, or is not ready in time; the message shows its log."""


class Daemons:
    """`python -m vapi` and `python -m vworker` on a started stack; both stop with this object."""

    def __init__(self, env: Mapping[str, str], folder: Path) -> None:
        """Prepare the two: `env` is `Stack.env`; logs and scratch files go to `folder`."""
        self._folder = folder
        port = choose_api_port(os.environ)
        self.api = ApiClient(LOOPBACK, port)
        self._environ = {
            "WORKER_SHUTDOWN_GRACE": "5",
            # also on a machine that can confine nothing
            "WORKER_SANDBOX": "prefer",
            **os.environ,
            **env,
            "VAPI_HOST": LOOPBACK,
            "VAPI_PORT": str(port),
            "WORKER_TEMP_DIR": str(folder / "scratch"),
        }
        self._processes: dict[str, ChildProcess] = {}

    def start(self) -> None:
        """Start both and return when the API says that it is ready; raises DaemonFailed."""
        for name in ("vapi", "vworker"):
            self._processes[name] = ChildProcess(
                [sys.executable, "-m", name],
                log_path=self._start_log(name),
                environ=self._environ,
                death_signal=signal.SIGTERM,  # they have children of their own to stop
            )
        deadline = time.monotonic() + _READY_WITHIN_S
        while (reason := self._not_ready_because()) is not None:
            self.check()
            if time.monotonic() > deadline:
                log = log_tail(self.log_path("vapi"))
                raise DaemonFailed(f"vapi is not ready in time ({reason}); {log}")
            time.sleep(_POLL_INTERVAL_S)

    def check(self) -> None:
        """Raise DaemonFailed when one of the two has ended."""
        for name, process in self._processes.items():
            if process.exit_code is not None:
                raise DaemonFailed(
                    f"{name} ended with exit code {process.exit_code}; "
                    + log_tail(self.log_path(name))
                )

    def log_path(self, name: str) -> Path:
        """The log of `vapi` or `vworker`; it holds the present run only."""
        return self._folder / f"{name}.log"

    def stop(self) -> None:
        """Let the worker hand its jobs back, then stop the API. Safe to repeat."""
        for process in reversed(self._processes.values()):
            process.stop(_STOP_GRACE_S)
        self._processes.clear()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _start_log(self, name: str) -> Path:
        path = self.log_path(name)
        path.write_bytes(b"")
        return path

    def _not_ready_because(self) -> str | None:
        try:
            status, body = self.api.get("/readyz")
        except ApiUnreachable as error:
            return str(error)
        return None if status == 200 else f"/readyz answers {status} {body!r}"


def choose_api_port(environ: Mapping[str, str]) -> int:
    """Return VAPI_PORT, or a free port when it is 0; unset, the API's default where that is free.

    Raises DaemonFailed when it is no number.
    """
    given = environ.get("VAPI_PORT")
    if given:
        if not given.isdecimal():
            raise DaemonFailed(f"VAPI_PORT={given!r} is no port: give a number, or unset it")
        return int(given) or free_ports(1)[0]
    return _DEFAULT_API_PORT if is_free(_DEFAULT_API_PORT) else free_ports(1)[0]
