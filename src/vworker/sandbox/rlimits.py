"""The lowest level: limits, no privileges to gain, death with the worker; nothing is hidden."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from vworker.sandbox.model import Access, Launch, Level, Sandbox

_CAP_SETPCAP = 8


def _may_drop_capabilities() -> bool:
    """Whether this process has capabilities to drop and the one that dropping needs."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    effective = next(line for line in status.splitlines() if line.startswith("CapEff:"))
    return bool(int(effective.split()[1], 16) >> _CAP_SETPCAP & 1)


#: Prefix of a command line (util-linux): it dies with the worker and cannot gain privileges. A
#: worker that is root passes on no capability: not to raise limits, not to read others' files.
UNPRIVILEGED = (
    *("setpriv", "--pdeathsig", "KILL", "--no-new-privs"),
    *(("--inh-caps", "-all", "--bounding-set", "-all") if _may_drop_capabilities() else ()),
    "--",
)


class RlimitsSandbox(Sandbox):
    """Runs a program as the worker's user with bounds on what it uses."""

    level = Level.RLIMITS

    @contextmanager
    def _confine(self, argv: Sequence[str], access: Access) -> Iterator[Launch]:
        yield Launch(argv=(*UNPRIVILEGED, *argv))
