"""What a sandbox is told and what it gives: levels, access, limits, the launch of one child."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

GIB = 1024**3


class Level(StrEnum):
    """How much a child is held back."""

    #: Namespaces of its own and seccomp: it sees its binary, its inputs and its output folders.
    BUBBLEWRAP = "bubblewrap"
    #: The kernel refuses all other files, seccomp the network and other processes.
    LANDLOCK = "landlock"
    #: Bounds on memory, CPU and files only: it is not kept from files, network or processes.
    RLIMITS = "rlimits"


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """What one child may touch, as names inside its working folder; everything must exist."""

    #: Absolute; not listed or written itself.
    folder: Path
    #: Files and folders to read.
    reads: tuple[str, ...] = ()
    #: Folders to read and to write.
    writes: tuple[str, ...] = ()

    @property
    def read_paths(self) -> tuple[Path, ...]:
        """`reads` as absolute paths."""
        return tuple(self.folder / name for name in self.reads)

    @property
    def write_paths(self) -> tuple[Path, ...]:
        """`writes` as absolute paths."""
        return tuple(self.folder / name for name in self.writes)


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What one child may use up; the kernel holds it to these at every level.

    The address space is bounded too, loosely: the C library reserves much more than it uses, so
    that only shared mappings, which `memory_bytes` does not count, come near that bound.
    """

    #: Writable private memory. Four rungs of 1080p take 0.65 GiB on 2 cores (RSS 0.47), 8K more.
    memory_bytes: int = 4 * GIB
    #: Length of one file.
    file_bytes: int = 8 * GIB
    open_files: int = 256

    def command(self, cpu_s: int) -> list[str]:
        """Return the prefix of a command line (util-linux) that sets them."""
        address_space = 2 * self.memory_bytes + (os.cpu_count() or 1) * GIB
        return [
            "prlimit",
            f"--as={address_space}",
            f"--data={self.memory_bytes}",
            f"--fsize={self.file_bytes}",
            f"--nofile={self.open_files}",
            # Hard and soft alike, so that it is SIGKILL: a signal that can be caught is no bound.
            f"--cpu={cpu_s}",
            # A dump would hold the source, and would land beside it.
            "--core=0",
            "--",
        ]


@dataclass(frozen=True, kw_only=True, slots=True)
class Launch:
    """How to start one confined child."""

    argv: tuple[str, ...]
    #: Descriptors that it inherits; the launch's context closes them on our side.
    descriptors: tuple[int, ...] = ()


@contextmanager
def readable(name: str, content: bytes) -> Iterator[int]:
    """Give a descriptor from whose start `content` can be read, for a child to inherit."""
    descriptor = os.memfd_create(name)
    try:
        os.write(descriptor, content)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


class Sandbox(ABC):
    """One level of confinement on this machine."""

    #: What it holds back.
    level: Level
    #: Whether the started process only watches over the program, which is then its one child.
    has_watcher = False

    def __init__(self, limits: Limits) -> None:
        self.limits = limits

    @contextmanager
    def launch(self, argv: Sequence[str], access: Access, *, cpu_s: int) -> Iterator[Launch]:
        """Prepare the start of `argv`, whose first item is an absolute path.

        Start it inside the context, with `access.folder` as its working folder. `cpu_s` bounds
        the seconds of processor time over all its threads. Raises OSError when something that
        `access` names is missing.
        """
        with self._confine(argv, access) as confined:
            yield Launch(
                argv=(*self.limits.command(cpu_s), *confined.argv),
                descriptors=confined.descriptors,
            )

    @abstractmethod
    def _confine(self, argv: Sequence[str], access: Access) -> AbstractContextManager[Launch]:
        """Prepare the start without the limits."""

    def __str__(self) -> str:
        return self.level.value
