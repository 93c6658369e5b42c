"""What the operating system knows of child processes."""

import os
import select
from pathlib import Path


def children() -> set[int]:
    """Pids of this process's living and unreaped children."""
    tasks = Path(f"/proc/{os.getpid()}/task").iterdir()
    return {int(pid) for task in tasks for pid in (task / "children").read_text().split()}


def descendants(pid: int, program: str) -> list[int]:
    """Pids of the living processes of a program's name (of 15 bytes at most) below a process."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            if Path(f"/proc/{child}/comm").read_text().startswith(program):
                found.append(child)
            found += descendants(child, program)
    return found


def wait_until_gone(descriptor: int, *, deadline_s: float = 10.0) -> bool:
    """Wait for the end of the process behind a pidfd; False when it outlives the deadline."""
    gone, _, _ = select.select([descriptor], [], [], deadline_s)
    return bool(gone)


def is_running(pid: int) -> bool:
    """Whether there is such a process, reaped or not."""
    return Path(f"/proc/{pid}").exists()
