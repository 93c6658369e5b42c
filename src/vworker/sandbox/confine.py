"""Run as a script: `confine.py RULES SECCOMP PROGRAM …` becomes the program, confined.

RULES and SECCOMP are inherited descriptors: Landlock rules, and a seccomp filter to be read. The
caller has set no_new_privs. Ends with exit code 126 when the kernel refuses, without the program.
Imports nothing of vworker, since its start is paid by every child.
"""

import ctypes
import os
import sys

_RESTRICT_SELF = 446
_PR_SET_SECCOMP, _FILTER_MODE = 22, 2
_INSTRUCTION_BYTES = 8


class _Filter(ctypes.Structure):
    """`struct sock_fprog`."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def _confine(rules: int, seccomp: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(_RESTRICT_SELF, rules, 0) != 0:
        _refuse("apply the Landlock rules")
    program = os.read(seccomp, 1 << 16)
    attributes = _Filter(len(program) // _INSTRUCTION_BYTES, program)
    os.close(rules)
    os.close(seccomp)
    # Last: it refuses calls that are needed up to here.
    if libc.prctl(_PR_SET_SECCOMP, _FILTER_MODE, ctypes.byref(attributes), 0, 0) != 0:
        _refuse("apply the seccomp filter")


def _refuse(attempt: str) -> None:
    sys.exit(f"cannot {attempt}: {os.strerror(ctypes.get_errno())}")


if __name__ == "__main__":
    _confine(int(sys.argv[1]), int(sys.argv[2]))
    os.execv(sys.argv[3], sys.argv[3:])  # noqa: S606 - no shell is wanted
