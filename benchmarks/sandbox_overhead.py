"""What the sandbox costs a child: `python -m benchmarks.sandbox_overhead [ROUNDS]`.

Each round runs `ffprobe -version` bare and once at each level that works here, one after another,
so that a busy machine slows all of them alike. Judged are medians over the rounds (default 100):
a level may cost 15 ms per process more than the bare program. The processor time beside them tells
how much of that was waiting for a busy machine. Prints the table that SECURITY.md holds and keeps
all rounds in results/transcode. A hundred rounds take ten seconds on an idle machine.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.machine import host
from benchmarks.results import FOLDER
from devstack import binaries
from vworker.sandbox import Access, Launch, Level, Sandbox, SandboxUnavailable, open_sandbox

_LIMIT_MS = 15.0
_RESULTS = FOLDER / "transcode"


def _sandboxes() -> dict[str, Sandbox | None]:
    found: dict[str, Sandbox | None] = {"bare": None}
    for level in Level:
        try:
            found[level] = open_sandbox(
                level, ffmpeg=str(binaries.ffmpeg()), ffprobe=str(binaries.ffprobe())
            )
        except SandboxUnavailable as error:
            print(f"{level} is left out: {error}")
    return found


def _run(sandbox: Sandbox | None, access: Access) -> tuple[float, float]:
    """Start one child and wait for it; return its wall and processor time in milliseconds."""
    argv = (str(binaries.ffprobe()), "-version")
    started, used = time.perf_counter(), _processor_s()
    prepared: AbstractContextManager[Launch] = (
        nullcontext(Launch(argv=argv))
        if sandbox is None
        else sandbox.launch(argv, access, cpu_s=60)
    )
    with prepared as launch:
        subprocess.run(
            launch.argv,
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=access.folder,
            env={"LC_ALL": "C"},
            pass_fds=launch.descriptors,
        )
    return (time.perf_counter() - started) * 1000, (_processor_s() - used) * 1000


def _processor_s() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


def main(rounds: int) -> int:
    machine = host("benchmarks.sandbox_overhead")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "source").write_bytes(b"")
        (Path(folder) / "output").mkdir()
        access = Access(folder=Path(folder), reads=("source",), writes=("output",))
        sandboxes = _sandboxes()
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in sandboxes}
        for _ in range(rounds):
            for name, sandbox in sandboxes.items():
                times[name].append(_run(sandbox, access))
    medians = {
        name: [statistics.median(column) for column in zip(*values, strict=True)]
        for name, values in times.items()
    }
    bare_wall, bare_processor = medians["bare"]
    worst = max(wall - bare_wall for wall, _ in medians.values())
    print(f"{rounds} rounds on {os.cpu_count()} cores, medians of ffprobe -version\n")
    print("| level | processor time | wall time |\n|---|---|---|")
    print(f"| bare | {bare_processor:.1f} ms | {bare_wall:.1f} ms |")
    for name, (wall, processor) in medians.items():
        if name != "bare":
            print(
                f"| `{name}` | +{processor - bare_processor:.1f} ms | +{wall - bare_wall:.1f} ms |"
            )
    _RESULTS.mkdir(parents=True, exist_ok=True)
    path = _RESULTS / f"sandbox-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    path.write_text(
        json.dumps({"machine": machine, "wall_and_processor_ms": times}, indent=1) + "\n"
    )
    print(f"\n{path}")
    print(f"limit {_LIMIT_MS:g} ms: {'kept' if worst <= _LIMIT_MS else 'MISSED'}")
    return 0 if worst <= _LIMIT_MS else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100))
