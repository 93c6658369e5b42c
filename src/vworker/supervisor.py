"""Starts the worker processes of a host and sees them die.

Time is a poor witness: a lease of minutes says late that a process is dead. The parent
knows at once, so the jobs of a crashed process are back in line within a second, and a
new process takes its place. It does no work itself and holds no connection while all is
well.

Signals are passed on to the processes. When the supervisor itself is killed, they get
SIGTERM from the kernel and drain.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import signal
import sys
from collections.abc import Sequence

from vqueue import Queue, VQueueError
from vqueue.consumers import new_consumer
from vworker.config import WorkerSettings
from vworker.contract import QUEUE_NAME
from vworker.daemon import EXIT_CONFIG, EXIT_OK, EXIT_UNAVAILABLE
from vworker.job_options import MAX_STALLED, failed_retention
from vworker.signals import on_stop_signal

logger = logging.getLogger(__name__)

#: Seconds before a crashed process is started again: doubles up to the longest.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
#: Seconds of life after which a crash counts as the first one again.
_HEALTHY_AFTER = 60.0


class Supervisor:
    """Runs `settings.processes` worker processes with the given command-line flags."""

    def __init__(self, settings: WorkerSettings, flags: Sequence[str]) -> None:
        self._settings = settings
        self._flags = flags
        self._stopping = asyncio.Event()
        self._children: set[asyncio.subprocess.Process] = set()

    async def run(self) -> int:
        """Run until the processes have ended; return the exit code for the command."""
        on_stop_signal(asyncio.get_running_loop(), self._stop)
        async with asyncio.TaskGroup() as group:
            keepers = [group.create_task(self._keep_one()) for _ in range(self._settings.processes)]
        return max(keeper.result() for keeper in keepers)

    def _stop(self) -> None:
        """Pass a stop signal on; the processes count them themselves."""
        self._stopping.set()
        for child in self._children:
            if child.returncode is None:
                child.send_signal(signal.SIGTERM)

    async def _keep_one(self) -> int:
        """Keep one process alive until told to stop; return its last exit code."""
        pause = _FIRST_PAUSE
        while True:
            started = asyncio.get_running_loop().time()
            code = await self._run_once()
            if code in (EXIT_OK, EXIT_CONFIG, EXIT_UNAVAILABLE):
                if code != EXIT_OK:
                    self._stop()  # the others would end the same way
                return code
            if self._stopping.is_set():
                return code if code > 0 else 128 - code
            if asyncio.get_running_loop().time() - started > _HEALTHY_AFTER:
                pause = _FIRST_PAUSE
            try:
                async with asyncio.timeout(pause):
                    await self._stopping.wait()
                return EXIT_OK
            except TimeoutError:
                pause = min(pause * 2, _LONGEST_PAUSE)

    async def _run_once(self) -> int:
        consumer = new_consumer()
        setpriv = shutil.which("setpriv")
        mortal = [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []
        child = await asyncio.create_subprocess_exec(
            *mortal,
            sys.executable,
            "-m",
            "vworker",
            *self._flags,
            "--consumer",
            consumer,
            # a Ctrl-C at the terminal reaches the supervisor, which passes it on once
            start_new_session=True,
        )
        self._children.add(child)
        try:
            if self._stopping.is_set():
                child.send_signal(signal.SIGTERM)
            code = await child.wait()
        finally:
            self._children.discard(child)
            if child.returncode is None:
                child.kill()
                await child.wait()
        if self._stopping.is_set() and code == -signal.SIGTERM:
            return EXIT_OK  # asked before it could hold signals, so before it took a job
        if code not in (EXIT_OK, EXIT_CONFIG, EXIT_UNAVAILABLE):
            logger.error(
                "worker process %d (%s) died: %s",
                child.pid,
                consumer,
                f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}",
                extra={"action": "crashed"},
            )
            await self._recover(consumer)
        return code

    async def _recover(self, consumer: str) -> None:
        try:
            async with Queue(QUEUE_NAME, self._settings.backends.redis_url) as queue:
                back, failed = await queue.recover_crashed(
                    consumer, max_stalled=MAX_STALLED, remove_on_fail=failed_retention()
                )
        except VQueueError as error:
            logger.warning("jobs of %s come back when their leases run out: %s", consumer, error)
            return
        if back or failed:
            logger.warning(
                "%d jobs of %s are back in line, %d failed at the stalled limit",
                back,
                consumer,
                failed,
                extra={"action": "recovered"},
            )
