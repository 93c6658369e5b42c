"""Child processes that never outlive this interpreter, however it ends."""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# The kernel sends a child its parent-death signal when the *thread* that forked it ends, not the
# process. A pytest fixture or asyncio.to_thread may run on a thread that is gone a second later,
# so every fork happens on this one thread, which lives as long as the interpreter.
_spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="devstack-spawner")


class ChildProcess:
    """One child in a process group of its own, with its output in a log file.

    Its own group keeps a Ctrl-C in the terminal away from it, so that the parent stops its
    children in an order that it chose.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        log_path: Path,
        environ: Mapping[str, str],
        death_signal: signal.Signals = signal.SIGKILL,
    ) -> None:
        """Start `argv`, appending its stdout and stderr to `log_path`.

        `death_signal` is what the kernel sends the child when this process dies without having
        stopped it. SIGKILL also ends a child that is paused.

        Raises FileNotFoundError when `setpriv` (util-linux) or the program is not there.
        """
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            raise FileNotFoundError(
                f"cannot start {argv[0]}: no setpriv on the PATH; install util-linux"
            )
        guarded = [setpriv, "--pdeathsig", death_signal.name, "--", *argv]
        with log_path.open("ab") as log:
            self._popen = _spawner.submit(
                subprocess.Popen,
                guarded,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(environ),
                start_new_session=True,
            ).result()

    @property
    def pid(self) -> int:
        """The child's process id, which is its process group's too."""
        return self._popen.pid

    @property
    def exit_code(self) -> int | None:
        """None while the child lives; negative when a signal ended it."""
        return self._popen.poll()

    def wait(self, timeout_s: float | None = None) -> int:
        """Wait for the end and give the exit code; raises subprocess.TimeoutExpired."""
        return self._popen.wait(timeout_s)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the child alone; nothing happens when it has ended."""
        self._popen.send_signal(number)

    def stop(self, grace_s: float) -> int:
        """SIGTERM, up to `grace_s` seconds, then SIGKILL to the whole group; waits. Repeatable."""
        self.signal(signal.SIGTERM)
        try:
            return self._popen.wait(grace_s)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int:
        """SIGKILL to the child's whole group, as a crash would; waits. Repeatable."""
        if self._popen.poll() is None:
            # poll() has just seen the child unreaped, so its group id cannot be another's.
            os.killpg(self.pid, signal.SIGKILL)
        return self._popen.wait()


def log_tail(path: Path, *, offset: int = 0, lines: int = 20) -> str:
    """The last lines of a log from byte `offset` on, indented, after a line that names it."""
    with path.open("rb") as log:
        log.seek(offset)
        written = log.read().decode(errors="replace").splitlines()
    shown = "\n".join(f"  {line}" for line in written[-lines:]) or "  (empty)"
    return f"the end of {path}:\n{shown}"
