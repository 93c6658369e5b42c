"""The second level, without namespaces: Landlock hides the files, seccomp does the rest.

The rules are made here, in the worker, as a descriptor. The child inherits it and puts it on itself
in `confine.py`, between fork and exec, where Python code of the worker's own may not run.
"""

from __future__ import annotations

import ctypes
import marshal
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from vworker.sandbox.model import Access, Launch, Level, Sandbox, readable
from vworker.sandbox.program import needed_files
from vworker.sandbox.rlimits import UNPRIVILEGED
from vworker.sandbox.seccomp import filter_descriptor

_CREATE_RULESET, _ADD_RULE = 444, 445  # the same numbers on every architecture
_VERSION_FLAG = 1
_PATH_BENEATH = 1

# Rights on files (linux/landlock.h).
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REMOVE_DIR, _REMOVE_FILE, _MAKE_DIR, _MAKE_REG = 1 << 4, 1 << 5, 1 << 7, 1 << 8
_TRUNCATE = 1 << 14
#: Bits of all rights that a version of the interface knows, by version.
_KNOWN_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_BIND_AND_CONNECT_TCP = 0b11  # from version 4
_ABSTRACT_SOCKETS_AND_SIGNALS = 0b11  # from version 6

_ON_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE
_READ = _READ_FILE | _READ_DIR
_RUN = _READ | _EXECUTE
_WRITE = _READ | _WRITE_FILE | _TRUNCATE | _REMOVE_FILE | _REMOVE_DIR | _MAKE_DIR | _MAKE_REG

#: Runs the code that the first descriptor holds.
_BOOT = "import marshal, posix, sys; exec(marshal.loads(posix.read(int(sys.argv[1]), 1 << 16)))"

_libc = ctypes.CDLL(None, use_errno=True)


class _Ruleset(ctypes.Structure):
    """`struct landlock_ruleset_attr`."""

    _fields_ = (
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class _PathBeneath(ctypes.Structure):
    """`struct landlock_path_beneath_attr`."""

    _pack_ = 1
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def landlock_version() -> int:
    """Return the version of the kernel's Landlock interface, 0 when it has none or it is off."""
    return max(0, int(_libc.syscall(_CREATE_RULESET, None, 0, _VERSION_FLAG)))


class LandlockSandbox(Sandbox):
    """Runs a program that can open its own files only; needs Linux 5.13 (2021) or later."""

    level = Level.LANDLOCK

    @contextmanager
    def _confine(self, argv: Sequence[str], access: Access) -> Iterator[Launch]:
        grants = (
            *((path, _RUN) for path in needed_files(Path(argv[0]))),
            *((path, _READ) for path in access.read_paths),
            *((path, _WRITE) for path in access.write_paths),
        )
        with (
            readable("confine", compiled_launcher()) as code,
            _rules(grants) as rules,
            filter_descriptor() as seccomp,
        ):
            yield Launch(
                argv=(
                    *UNPRIVILEGED,
                    # -I -S -B: a bare interpreter, which reads nothing but its own library.
                    *(sys.executable, "-I", "-S", "-B", "-c", _BOOT),
                    *(str(code), str(rules), str(seccomp)),
                    *argv,
                ),
                descriptors=(code, rules, seccomp),
            )


@cache
def compiled_launcher() -> bytes:
    """Return `confine.py` as the interpreter runs it: each child would compile it for 1.6 ms."""
    source = Path(__file__).with_name("confine.py")
    return marshal.dumps(compile(source.read_bytes(), str(source), "exec", dont_inherit=True))


@contextmanager
def _rules(grants: Iterable[tuple[Path, int]]) -> Iterator[int]:
    """Give the descriptor of rules that allow the grants and no other file."""
    version = landlock_version()
    handled = (1 << _KNOWN_RIGHTS[max(1, min(version, max(_KNOWN_RIGHTS)))]) - 1
    attributes = _Ruleset(
        handled_access_fs=handled,
        handled_access_net=_BIND_AND_CONNECT_TCP if version >= 4 else 0,
        scoped=_ABSTRACT_SOCKETS_AND_SIGNALS if version >= 6 else 0,
    )
    # An older kernel takes the longer structure as long as what it does not know is zero.
    rules = _checked(
        "create Landlock rules",
        _libc.syscall(
            _CREATE_RULESET, ctypes.byref(attributes), ctypes.c_size_t(ctypes.sizeof(attributes)), 0
        ),
    )
    try:
        for path, rights in grants:
            _allow(rules, path, rights & handled)
        yield rules
    finally:
        os.close(rules)


def _allow(rules: int, path: Path, rights: int) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not path.is_dir():
            rights &= _ON_FILES
        grant = _PathBeneath(allowed_access=rights, parent_fd=descriptor)
        result = _libc.syscall(_ADD_RULE, rules, _PATH_BENEATH, ctypes.byref(grant), 0)
        _checked(f"allow {path} by Landlock", result)
    finally:
        os.close(descriptor)


def _checked(attempt: str, result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"cannot {attempt}: {os.strerror(number)}")
    return result
