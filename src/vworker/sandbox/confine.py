"""Run as a script: `confine.py RULES SECCOMP PROGRAM …` becomes the program, confined.

RULES and SECCOMP are inherited descriptors: Landlock rules, and a seccomp filter to be read. The
caller has set no_new_privs. Ends with exit code 1 when the kernel refuses, without the program.

Its start is paid by every child, so it imports nothing of vworker, and only the core of ctypes:
the module around it takes a tenth of the launch (1.3 of 14 ms of processor time).
"""

import os
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


def _confine(rules: int, seccomp: int) -> None:
    libc = dlopen(None, os.RTLD_NOW)  # type: ignore[arg-type]
    syscall, prctl = (_Function(dlsym(libc, name)) for name in ("syscall", "prctl"))
    if syscall(_RESTRICT_SELF, rules, 0) != 0:
        _refuse("apply the Landlock rules")
    program = os.read(seccomp, 1 << 16)
    attributes = _Filter(len(program) // _INSTRUCTION_BYTES, program)
    os.close(rules)
    os.close(seccomp)
    # Last: it refuses calls that are needed up to here.
    if prctl(_PR_SET_SECCOMP, _FILTER_MODE, byref(attributes), 0, 0) != 0:
        _refuse("apply the seccomp filter")


def _refuse(attempt: str) -> None:
    sys.exit(f"cannot {attempt}: {os.strerror(get_errno())}")


if __name__ == "__main__":
    _confine(int(sys.argv[1]), int(sys.argv[2]))
    os.execv(sys.argv[3], sys.argv[3:])  # noqa: S606 - no shell is wanted
