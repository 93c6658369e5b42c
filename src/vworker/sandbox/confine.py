"""Run by `landlock.py` as CODE RULES SECCOMP PROGRAM …: becomes the program, confined.

The first three are inherited descriptors: this file compiled, Landlock rules, and a seccomp filter
to be read. The caller has set no_new_privs. Ends with exit code 1 when the kernel refuses, without
the program.

Its start is paid by every child, so it imports nothing of vworker, and only what is built into the
interpreter: `os` and the module around the core of ctypes take 1.2 ms each.
"""

import posix
import sys
from _ctypes import (
    FUNCFLAG_CDECL,
    FUNCFLAG_USE_ERRNO,
    CFuncPtr,
    Structure,
    _SimpleCData,
    byref,
    dlopen,
    dlsym,
    get_errno,
)

_RESTRICT_SELF = 446
_PR_SET_SECCOMP, _FILTER_MODE = 22, 2
_INSTRUCTION_BYTES = 8


class _Int(_SimpleCData):  # type: ignore[type-arg]
    _type_ = "i"


class _UnsignedShort(_SimpleCData):  # type: ignore[type-arg]
    _type_ = "H"


class _Bytes(_SimpleCData):  # type: ignore[type-arg]
    _type_ = "z"


class _Filter(Structure):
    """`struct sock_fprog`."""

    _fields_ = (("length", _UnsignedShort), ("instructions", _Bytes))


class _Function(CFuncPtr):
    """A function of the C library that returns an int and sets errno."""

    _flags_ = FUNCFLAG_CDECL | FUNCFLAG_USE_ERRNO
    _restype_ = _Int


def _confine(code: int, rules: int, seccomp: int) -> None:
    libc = dlopen(None, posix.RTLD_NOW)  # type: ignore[arg-type]
    syscall, prctl = (_Function(dlsym(libc, name)) for name in ("syscall", "prctl"))
    if syscall(_RESTRICT_SELF, rules, 0) != 0:
        _refuse("apply the Landlock rules")
    program = posix.read(seccomp, 1 << 16)
    attributes = _Filter(len(program) // _INSTRUCTION_BYTES, program)
    for descriptor in (code, rules, seccomp):
        posix.close(descriptor)
    # Last: it refuses calls that are needed up to here.
    if prctl(_PR_SET_SECCOMP, _FILTER_MODE, byref(attributes), 0, 0) != 0:
        _refuse("apply the seccomp filter")


def _refuse(attempt: str) -> None:
    sys.exit(f"cannot {attempt}: {posix.strerror(get_errno())}")


if __name__ == "__main__":
    _confine(*map(int, sys.argv[1:4]))
    posix.execv(sys.argv[4], sys.argv[4:])
