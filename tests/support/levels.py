"""Which sandboxes must work on this machine, asked of the kernel without our code."""

import subprocess

from vworker.sandbox import Level
from vworker.sandbox.landlock import landlock_version


def _levels() -> list[Level]:
    namespaces = ["unshare", "--user", "--pid", "--net", "--ipc", "--uts", "--fork", "true"]
    allowed = subprocess.run(namespaces, capture_output=True, check=False).returncode == 0
    found = [Level.BUBBLEWRAP] if allowed else []
    return [*found, Level.LANDLOCK] if landlock_version() else found


#: The levels that contain, best first.
CONTAINING = _levels()
