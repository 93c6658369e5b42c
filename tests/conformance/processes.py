"""Workers in processes of their own, and what they tell."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.driver import Driver
from tests.support.waiting import until

_ROOT = Path(__file__).parents[2]
#: Where a worker imports the library of this tree from.
SOURCE = _ROOT / "src"


class WorkerProcess:
    """One started worker_program.py."""

    def __init__(self, process: subprocess.Popen[bytes], driver: Driver) -> None:
        self._process = process
        self._driver = driver

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it as the out-of-memory killer would, and wait for its end."""
        self._process.kill()
        self._process.wait()

    async def told(self) -> list[str]:
        """What it, and others of the queue, have told so far."""
        lines = await self._driver.redis("LRANGE", f"probe:{self._driver.queue_name}", 0, -1)
        return [line.decode() for line in lines]

    async def tells(self, line: str) -> None:
        """Return once it has told this."""
        heard: list[str] = []

        async def has_told() -> bool:
            heard[:] = await self.told()
            return line in heard

        await until(has_told, what=lambda: f"{line!r} from a worker, heard {heard}", deadline=30)


@contextmanager
def worker_process(
    driver: Driver, *, lease: float, concurrency: int = 1, library: Path = SOURCE
) -> Iterator[WorkerProcess]:
    """A worker of the driver's queue; killed at the end if it still lives.

    Its leases are of `lease` seconds. `library` is where it imports vqueue from, a folder or
    a zip file.
    """
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.conformance.worker_program"),
            *(driver.queue_name, driver.redis_url, str(lease), str(concurrency)),
        ],
        cwd=_ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{library}:{_ROOT}"},
    )
    worker = WorkerProcess(process, driver)
    try:
        yield worker
    finally:
        process.kill()
        process.wait()
