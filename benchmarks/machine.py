"""The machine's fingerprint: what a reader needs to judge figures, or to repeat them."""

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.peers.catalogue import ROOT
from benchmarks.placement import Placement

#: Paths that decide about figures; results lie there too, and are the outcome.
_MEASURED = ("src", "benchmarks", ":(exclude)benchmarks/results")


def fingerprint(placement: Placement, *, redis_version: str) -> dict[str, Any]:
    """What `host` tells, with the server's version and the placement."""
    return {
        **host("benchmarks"),
        "redis": redis_version,
        "placement": {
            "redis_core": placement.redis,
            "client_core": placement.client,
            "cores_of_many_processes": list(placement.all_clients),
        },
    }


def host(module: str) -> dict[str, Any]:
    """CPU, cores, load, kernel, versions, date, commit, and the command line of `module`."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": ["python", "-m", module, *sys.argv[1:]],
        "commit": _git("rev-parse", "HEAD"),
        # whether what was measured, and what measured it, is what the commit holds
        "uncommitted": bool(_git("status", "--porcelain", "--", *_MEASURED)),
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9, 1),
        "kernel": platform.release(),
        "system": _system(),
        "python": platform.python_version(),
        "load_average_before": [round(load, 2) for load in os.getloadavg()],
    }


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()


def _git(*arguments: str) -> str:
    asked = subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return asked.stdout.strip()
