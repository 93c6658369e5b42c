"""`python -m tests.differential`: run every scenario on both queues and compare."""

import asyncio
import copy
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.environments import NotSetUp, require
from benchmarks.peers.catalogue import PEERS, REFERENCE
from devstack import Valkey
from tests.differential import ours, theirs
from tests.differential.intended import INTENDED
from tests.differential.ours import Outcome
from tests.differential.scenarios import SCENARIOS


def main() -> int:
    """Run all; 0 when nothing differs but what is meant to."""
    try:
        require(PEERS[REFERENCE])
    except NotSetUp as error:
        sys.stderr.write(f"{error}\n")
        return 1
    seen: set[str] = set()
    wrong = 0
    with tempfile.TemporaryDirectory() as folder, Valkey(Path(folder)) as server:
        url = server.settings()["REDIS_URL"]
        for number, (name, steps) in enumerate(SCENARIOS.items()):
            our = asyncio.run(ours.run(f"ours-{number}", url, steps))
            their = theirs.run(f"theirs-{number}", url, steps)
            seen |= reconcile(our, their)
            lines = list(differences("", our, their))
            wrong += bool(lines)
            sys.stdout.write(f"{'DIFFERS' if lines else 'same'}  {name}\n")
            sys.stdout.writelines(f"    {line}\n" for line in lines)
    unseen = [intended.name for intended in INTENDED if intended.name not in seen]
    for name in unseen:
        sys.stdout.write(f"UNSEEN  intended, and nowhere found: {name}\n")
    sys.stdout.write(f"{len(SCENARIOS)} scenarios, {wrong} differ, {len(seen)} intended seen\n")
    return 1 if wrong or unseen else 0


def reconcile(our: Outcome, their: Outcome) -> set[str]:
    """Take the intended differences out; return the names of those that there were."""
    seen = set()
    for intended in INTENDED:
        before = copy.deepcopy((our, their))
        intended.apply(our, their)
        if before != (our, their):
            seen.add(intended.name)
    return seen


def differences(path: str, our: Any, their: Any) -> list[str]:
    """Say where two outcomes differ."""
    if isinstance(our, dict) and isinstance(their, dict):
        return [
            line
            for key in sorted(our.keys() | their.keys())
            for line in differences(f"{path}/{key}", our.get(key), their.get(key))
        ]
    return [] if our == their else [f"{path}: {our!r}, BullMQ has {their!r}"]


if __name__ == "__main__":
    sys.exit(main())
