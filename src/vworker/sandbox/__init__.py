"""Confinement of the programs that parse hostile bytes: FFmpeg and ffprobe.

A codec bug is code execution, so a child is given only what it needs: its own binary, the named
inputs (to read), the named output folders (to write), and bounds on everything that it can use up.
Three levels, best first:

BUBBLEWRAP   namespaces of its own: the rest of the file system, other processes and the network
             do not exist for it; seccomp on top
LANDLOCK     the kernel refuses every other file; seccomp refuses sockets, new processes, signals
             and what else could reach out
RLIMITS      bounds only; it can read whatever the worker's user can

`open_sandbox` finds the level that works here by trying it with the real program. Which child gets
which files is the business of the callers in `vworker.media`.
"""

from __future__ import annotations

from vworker.sandbox.choice import MODES, SandboxUnavailable, open_sandbox
from vworker.sandbox.model import Access, Launch, Level, Limits, Sandbox

__all__ = [
    "MODES",
    "Access",
    "Launch",
    "Level",
    "Limits",
    "Sandbox",
    "SandboxUnavailable",
    "open_sandbox",
]
