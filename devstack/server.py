"""What the embedded servers have in common: ports, readiness, faults, stopping."""

import json
import os
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from devstack.ports import free_ports, is_free
from devstack.process import ChildProcess, log_tail

_PORT_ATTEMPTS = 5
_POLL_INTERVAL_S = 0.02


class ServerError(Exception):
    """A server did not start, or was asked for something that it cannot do in its state."""


class Server(ABC):
    """One embedded server: a child process with its ports and its data in a folder.

    Ports are chosen at the first start and kept from then on, in the folder too, so that clients
    find the server again after `kill()` and `start()`, and an operator after a restart of
    `make serve`. All methods block; call them through `asyncio.to_thread` in a running loop.

        folder/data/       what the server stores
        folder/server.log  its output, appended
        folder/ports.json  its ports
    """

    #: Name in messages and folder name in a stack.
    name: ClassVar[str]
    #: Variables that describe such a server to its clients. When the operator has set the first
    #: one, the server is theirs and none is started.
    variables: ClassVar[tuple[str, ...]]
    #: One name per port that the server listens on; all on 127.0.0.1.
    port_names: ClassVar[tuple[str, ...]]

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.data_folder = self.folder / "data"
        self.log_path = self.folder / "server.log"
        self._ports_path = self.folder / "ports.json"
        self._ports: dict[str, int] = {}
        self._ports_proven = False
        self._process: ChildProcess | None = None
        self._log_offset = 0

    @abstractmethod
    def settings(self) -> dict[str, str]:
        """The values of `variables` for this server; raises ServerError before its first start."""

    @abstractmethod
    def _command(self) -> list[str]:
        """The argv that runs the server in the foreground."""

    @abstractmethod
    def _not_ready_because(self) -> str | None:
        """Ask the server over its own protocol; None when it can do its work."""

    def _environ(self) -> dict[str, str]:
        """The child's whole environment: a private home keeps the operator's settings out."""
        return {"PATH": os.defpath, "HOME": str(self.folder), "TMPDIR": str(self.folder)}

    def port(self, name: str) -> int:
        """The loopback port of that name; raises ServerError before the first start."""
        if name not in self._ports:
            raise ServerError(f"{self.name} has no {name} port yet: call start() first")
        return self._ports[name]

    @property
    def pid(self) -> int:
        """The running child's process id; raises ServerError when it does not run."""
        return self._running_process().pid

    @property
    def is_running(self) -> bool:
        """Whether the child process lives; a paused one does."""
        return self._process is not None and self._process.exit_code is None

    def start(self, *, timeout_s: float = 60.0) -> None:
        """Start the server and return when it answers its own protocol. Safe to repeat.

        Raises ServerError with the last lines of the log when the server ends or is not ready
        within `timeout_s` seconds; nothing is left running then.
        """
        if self.is_running:
            return
        self.data_folder.mkdir(parents=True, exist_ok=True)
        deadline = time.monotonic() + timeout_s
        for _ in range(_PORT_ATTEMPTS):
            self._choose_ports()
            try:
                self._start_once(deadline)
            except ServerError:
                self.kill()
                if self._ports_proven or not self._lost_a_port():
                    raise
                self._ports = {}
            except BaseException:
                self.kill()
                raise
            else:
                self._ports_proven = True
                self._ports_path.write_text(json.dumps(self._ports))
                return
        raise ServerError(
            f"{self.name} lost its ports to other processes {_PORT_ATTEMPTS} times: try again"
        )

    def stop(self, *, grace_s: float = 10.0) -> None:
        """End the server in its own way: SIGTERM, `grace_s` seconds, SIGKILL. Safe to repeat."""
        if self._process is not None:
            self._process.signal(signal.SIGCONT)  # a paused process would not see the SIGTERM
            self._process.stop(grace_s)
        self._process = None

    def kill(self) -> None:
        """End the server as a crash would, with SIGKILL. Safe to repeat."""
        if self._process is not None:
            self._process.kill()
        self._process = None

    def pause(self) -> None:
        """SIGSTOP: connections stay open and get no answer. Raises ServerError when not running."""
        self._running_process().signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT after `pause()`. Safe to repeat; raises ServerError when not running."""
        self._running_process().signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _running_process(self) -> ChildProcess:
        if self._process is None or not self.is_running:
            raise ServerError(f"{self.name} does not run: call start() first")
        return self._process

    def _choose_ports(self) -> None:
        """Keep the ports that the server has; else those of an earlier run; else free ones."""
        if self._ports:
            return
        earlier = self._earlier_ports()
        if earlier.keys() == set(self.port_names) and all(map(is_free, earlier.values())):
            self._ports = earlier
        else:
            self._ports = self._new_ports()

    def _new_ports(self) -> dict[str, int]:
        return dict(zip(self.port_names, free_ports(len(self.port_names)), strict=True))

    def _earlier_ports(self) -> dict[str, int]:
        try:
            stored: Mapping[str, int] = json.loads(self._ports_path.read_text())
            return {str(name): int(port) for name, port in stored.items()}
        except (FileNotFoundError, ValueError, AttributeError, TypeError):
            return {}  # no earlier run, or one that died in the middle of writing

    def _lost_a_port(self) -> bool:
        """After a failed start: does another process hold one of the ports that we chose?"""
        return not all(map(is_free, self._ports.values()))

    def _start_once(self, deadline: float) -> None:
        self._log_offset = self.log_path.stat().st_size if self.log_path.exists() else 0
        process = ChildProcess(self._command(), log_path=self.log_path, environ=self._environ())
        self._process = process
        while True:
            if process.exit_code is not None:
                raise ServerError(
                    f"{self.name} ended with exit code {process.exit_code} while it started; "
                    + self._log_tail()
                )
            reason = self._not_ready_because()
            if reason is None:
                return
            if time.monotonic() > deadline:
                raise ServerError(
                    f"{self.name} is not ready in time ({reason}); {self._log_tail()}"
                )
            time.sleep(_POLL_INTERVAL_S)

    def _log_tail(self) -> str:
        return log_tail(self.log_path, offset=self._log_offset)
