"""What the operating system knows of child processes."""

import os
import select
from pathlib import Path


def children() -> set[int]:
    """Pids of this process's living and unreaped children."""
    tasks = Path(f"/proc/{os.getpid()}/task").iterdir()
    return {int(pid) for task in tasks for pid in (task / "children").read_text().split()}


def wait_until_gone(descriptor: int, *, deadline_s: float = 10.0) -> bool:
    """Wait for the end of the process behind a pidfd; False when it outlives the deadline."""
    gone, _, _ = select.select([descriptor], [], [], deadline_s)
    return bool(gone)


def is_running(pid: int) -> bool:
    """Whether there is such a process, reaped or not."""
    return Path(f"/proc/{pid}").exists()
