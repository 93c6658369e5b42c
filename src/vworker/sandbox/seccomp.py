"""The system calls that a decoder has no use for, refused by a seccomp filter.

A deny-list, since FFmpeg builds differ in what they call; namespaces or Landlock are the wall, and
this closes what those leave open: new processes, sockets, signals to others, symbolic links and
pipes in the output folder (the worker would follow them when it uploads), and the parts of the
kernel where privilege bugs are found most often. Numbers are the kernel's, which never change.
"""

from __future__ import annotations

import platform
import struct
from contextlib import AbstractContextManager
from errno import ENOSYS, EPERM
from functools import cache
from typing import NamedTuple

from vworker.sandbox.model import readable


class _Call(NamedTuple):
    """One system call's numbers; None where the architecture has no such call."""

    x86_64: int | None
    aarch64: int | None


#: Refused with EPERM.
_REFUSED = {
    # Other processes: starting, watching, signalling, changing them.
    "fork": _Call(57, None),
    "vfork": _Call(58, None),
    "ptrace": _Call(101, 117),
    "process_vm_readv": _Call(310, 270),
    "process_vm_writev": _Call(311, 271),
    "process_madvise": _Call(440, 440),
    "kcmp": _Call(312, 272),
    "pidfd_open": _Call(434, 434),
    "pidfd_getfd": _Call(438, 438),
    "pidfd_send_signal": _Call(424, 424),
    "kill": _Call(62, 129),
    "tkill": _Call(200, 130),
    "tgkill": _Call(234, 131),
    "rt_sigqueueinfo": _Call(129, 138),
    "rt_tgsigqueueinfo": _Call(297, 240),
    "setpriority": _Call(141, 140),
    "ioprio_set": _Call(251, 30),
    "sched_setparam": _Call(142, 118),
    "sched_setscheduler": _Call(144, 119),
    "sched_setattr": _Call(314, 274),
    "migrate_pages": _Call(256, 238),
    "move_pages": _Call(279, 239),
    # The network and other ways to talk to processes.
    "socket": _Call(41, 198),
    "socketpair": _Call(53, 199),
    "shmget": _Call(29, 194),
    "shmat": _Call(30, 196),
    "semget": _Call(64, 190),
    "msgget": _Call(68, 186),
    "mq_open": _Call(240, 180),
    # Files that are something else than files, and changes that Landlock does not know.
    "symlink": _Call(88, None),
    "symlinkat": _Call(266, 36),
    "link": _Call(86, None),
    "linkat": _Call(265, 37),
    "mknod": _Call(133, None),
    "mknodat": _Call(259, 33),
    "chmod": _Call(90, None),
    "fchmod": _Call(91, 52),
    "fchmodat": _Call(268, 53),
    "fchmodat2": _Call(452, 452),
    "chown": _Call(92, None),
    "fchown": _Call(93, 55),
    "lchown": _Call(94, None),
    "fchownat": _Call(260, 54),
    "utime": _Call(132, None),
    "utimes": _Call(235, None),
    "futimesat": _Call(261, None),
    "utimensat": _Call(280, 88),
    "truncate": _Call(76, 45),
    "setxattr": _Call(188, 5),
    "lsetxattr": _Call(189, 6),
    "fsetxattr": _Call(190, 7),
    "removexattr": _Call(197, 14),
    "lremovexattr": _Call(198, 15),
    "fremovexattr": _Call(199, 16),
    "name_to_handle_at": _Call(303, 264),
    "open_by_handle_at": _Call(304, 265),
    # Namespaces, mounts, system-wide matters.
    "unshare": _Call(272, 97),
    "setns": _Call(308, 268),
    "mount": _Call(165, 40),
    "umount2": _Call(166, 39),
    "pivot_root": _Call(155, 41),
    "chroot": _Call(161, 51),
    "open_tree": _Call(428, 428),
    "move_mount": _Call(429, 429),
    "fsopen": _Call(430, 430),
    "fsconfig": _Call(431, 431),
    "fsmount": _Call(432, 432),
    "fspick": _Call(433, 433),
    "mount_setattr": _Call(442, 442),
    "syslog": _Call(103, 116),
    "acct": _Call(163, 89),
    "quotactl": _Call(179, 60),
    "quotactl_fd": _Call(443, 443),
    "init_module": _Call(175, 105),
    "finit_module": _Call(313, 273),
    "delete_module": _Call(176, 106),
    "kexec_load": _Call(246, 104),
    "kexec_file_load": _Call(320, 294),
    "reboot": _Call(169, 142),
    "swapon": _Call(167, 224),
    "swapoff": _Call(168, 225),
    # Parts of the kernel with a history of privilege bugs.
    "bpf": _Call(321, 280),
    "perf_event_open": _Call(298, 241),
    "userfaultfd": _Call(323, 282),
    "add_key": _Call(248, 217),
    "request_key": _Call(249, 218),
    "keyctl": _Call(250, 219),
    "io_uring_setup": _Call(425, 425),
    "io_uring_enter": _Call(426, 426),
    "io_uring_register": _Call(427, 427),
    "modify_ldt": _Call(154, None),
    "personality": _Call(135, 92),
}
#: A new thread is a clone with CLONE_THREAD; without it, clone is a fork.
_CLONE = _Call(56, 220)
_CLONE_THREAD = 0x0001_0000
#: Its flags lie in memory, where a filter cannot look: C libraries fall back to clone.
_CLONE3 = _Call(435, 435)
#: Only on oneself (pid 0), which is how C libraries ask for their limits.
_PRLIMIT64 = _Call(302, 261)

_AUDIT_ARCH = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}
#: x86-64's second numbering of the same calls.
_X32_BIT = 0x4000_0000

_NR_AT, _ARCH_AT, _ARG0_AT = 0, 4, 16
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF_0000, 0x8000_0000, 0x0005_0000
_INSTRUCTION = struct.Struct("=HBBI")


def is_supported() -> bool:
    """Whether there is a filter for this machine's architecture."""
    return platform.machine() in _AUDIT_ARCH


@cache
def filter_program() -> bytes:
    """Return the filter as an array of `struct sock_filter`. Raises KeyError if not supported."""
    machine = platform.machine()
    program = [
        (_LOAD, 0, 0, _ARCH_AT),
        (_EQUAL, 1, 0, _AUDIT_ARCH[machine]),
        # A 32-bit call has other numbers.
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NR_AT),
        (_AT_LEAST, 0, 1, _X32_BIT),
        (_RETURN, 0, 0, _ERRNO | ENOSYS),
    ]

    def on(call: _Call, *then: tuple[int, int, int, int]) -> None:
        number = call.x86_64 if machine == "x86_64" else call.aarch64
        if number is not None:
            program.append((_EQUAL, 0, len(then), number))
            program.extend(then)

    refuse = (_RETURN, 0, 0, _ERRNO | EPERM)
    allow = (_RETURN, 0, 0, _ALLOW)
    argument = (_LOAD, 0, 0, _ARG0_AT)
    for call in _REFUSED.values():
        on(call, refuse)
    on(_CLONE3, (_RETURN, 0, 0, _ERRNO | ENOSYS))
    on(_CLONE, argument, (_ANY_BIT, 0, 1, _CLONE_THREAD), allow, refuse)
    on(_PRLIMIT64, argument, (_EQUAL, 0, 1, 0), allow, refuse)
    program.append(allow)
    return b"".join(_INSTRUCTION.pack(*instruction) for instruction in program)


def filter_descriptor() -> AbstractContextManager[int]:
    """Give a descriptor from whose start the filter can be read, for a child to inherit."""
    return readable("seccomp", filter_program())
