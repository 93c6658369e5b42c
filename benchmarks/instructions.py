"""What one job costs Redis in instructions: a count does not depend on how busy the machine is.

    python -m benchmarks.instructions [--jobs 2000] [--batch 50] [--add-batch 250] [--functions 40]

Needs valgrind. Starts valkey-server under callgrind, adds plain jobs with add.lua, `--add-batch` a
call, and takes and finishes them with finish.lua, `--batch` a call, as a worker would. Prints
instructions per job for both, and the functions of the server (callees included) in which they were
spent.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import redis

from devstack import Valkey
from vqueue.keys import QueueKeys
from vqueue.outcome import Outcome
from vqueue.record import TakenJob, settlement
from vqueue.script_calls import load_script
from vqueue.scripts import MAX_BATCH

_CONSUMER = "0123456789"
_PAYLOAD = b'{"i":12345,"pad":"' + b"x" * 78 + b'"}'


class CountedValkey(Valkey):
    """valkey-server under callgrind, without persistence."""

    def _command(self) -> list[str]:
        valgrind = shutil.which("valgrind")
        if valgrind is None:
            raise SystemExit("valgrind is not installed: apt-get install valgrind")
        out = f"--callgrind-out-file={self.data_folder}/out"
        tool = [valgrind, "--tool=callgrind", out, self._channel]
        return [*tool, *super()._command(), "--appendonly", "no"]

    @property
    def _channel(self) -> str:
        """Where callgrind listens to callgrind_control."""
        return f"--vgdb-prefix={self.data_folder}/vgdb"

    def _control(self, *args: str) -> str:
        command = ["callgrind_control", self._channel, *args, str(self.pid)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def instructions(self) -> int:
        """Instructions of the main thread since the counters were cleared."""
        told = self._control("-e")
        found = re.search(r"Th 1 +([\d,]+)", told)
        if found is None:
            raise SystemExit(f"callgrind_control told no count: {told!r}")
        return int(found[1].replace(",", ""))

    def clear(self) -> None:
        """Set the counters to zero."""
        self._control("-z")

    def by_function(self) -> Counter[str]:
        """Instructions per function, callees included, since the counters were cleared."""
        before = set(self.data_folder.glob("out.*"))
        self._control("-d")
        (written,) = set(self.data_folder.glob("out.*")) - before
        return read_callgrind(written.read_text().splitlines())


def read_callgrind(lines: list[str]) -> Counter[str]:
    """Sum the inclusive costs of all calls to each function; pure."""
    names: dict[str, str] = {}
    inclusive: Counter[str] = Counter()

    def number_of(reference: str) -> str:
        number, _, name = reference.partition(" ")
        if name:
            names[number] = name
        return number

    callee = ""
    of_a_call = False
    for line in lines:
        if line.startswith(("fn=", "cfn=")):
            kind, _, reference = line.partition("=")
            number = number_of(reference)
            callee = number if kind == "cfn" else callee
        elif line.startswith("calls="):
            of_a_call = True
        elif of_a_call:
            inclusive[callee] += int(line.split()[-1])
            of_a_call = False
    return Counter({names.get(number, number): cost for number, cost in inclusive.items()})


class Jobs:
    """Plain jobs of one queue, driven by its scripts."""

    def __init__(self, client: redis.Redis, count: int) -> None:
        self._client = client
        self._keys = QueueKeys("instructions")
        self._ids = [f"{number:032x}" for number in range(count)]
        for name in ("add", "take", "finish"):
            client.script_load(load_script(name).text)

    def _call(self, name: str, *args: Any) -> Any:
        fixed = self._keys.fixed
        return self._client.evalsha(load_script(name).sha, len(fixed), *fixed, *args)

    def add(self, batch: int) -> int:
        """Add all, `batch` a call, as a Queue does; return how many."""
        for start in range(0, len(self._ids), batch):
            ids = self._ids[start : start + batch]
            jobs = (value for job_id in ids for value in (job_id, b'"task"\n\n' + _PAYLOAD))
            self._call("add", 0, "0", "task", len(ids), *jobs)
        return len(self._ids)

    def finish(self, batch: int) -> int:
        """Take and finish all, `batch` a call, as a worker does; return how many there were."""
        _, told, _ = self._call("take", _CONSUMER, batch, 30_000)
        done = 0
        while told:
            settled = [
                settlement(job, Outcome("completed", b"null"), consumer=_CONSUMER, started_ms=1)
                for job in _taken(told)
            ]
            jobs = (value for job in settled for value in job[2:6])
            head = (_CONSUMER, batch, 30_000, "completed", "-1 -1", len(settled))
            _, statuses, told, _ = self._call("finish", *head, *jobs)
            done += sum(statuses)
        return done


def _taken(told: list[bytes]) -> Iterator[TakenJob]:
    for token, job_id, record in zip(told[::3], told[1::3], told[2::3], strict=True):
        yield TakenJob(job_id, token, record)


def count(server: CountedValkey, name: str, work: Callable[[], int], functions: int) -> None:
    """Print what the work costs per job; it returns how many jobs it has done."""
    server.clear()
    done = work()
    print(f"\n{name}: {server.instructions() / done:,.0f} instructions a job")
    # functions without a name are Lua's interpreter and the server's static ones
    named = ((f, cost) for f, cost in server.by_function().most_common() if f[:2] != "0x")
    for function, cost in islice(named, functions):
        print(f"  {cost / done:>8,.0f}  {function}")


def main() -> int:
    """Count, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--add-batch", type=int, default=MAX_BATCH)
    parser.add_argument("--functions", type=int, default=40)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        CountedValkey(Path(folder)) as server,
        redis.Redis.from_url(server.settings()["REDIS_URL"], socket_timeout=300) as client,
    ):
        jobs = Jobs(client, options.jobs)
        count(server, "add", lambda: jobs.add(options.add_batch), options.functions)
        count(server, "finish + take", lambda: jobs.finish(options.batch), options.functions)
    return 0


if __name__ == "__main__":
    sys.exit(main())
