"""`python -m tests.differential [WORD]`: run the scenarios on both queues and compare.

With a word: only those whose names have it.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from benchmarks.environments import NotSetUp, require
from benchmarks.peers.catalogue import PEERS, REFERENCE
from devstack import Valkey
from tests.differential import ours, theirs
from tests.differential.comparison import compare
from tests.differential.intended import INTENDED, Difference
from tests.differential.scenarios import SCENARIOS


def main(word: str = "") -> int:
    """Run all; 0 when nothing differs but what is meant to, and where it is meant to."""
    try:
        require(PEERS[REFERENCE])
    except NotSetUp as error:
        sys.stderr.write(f"{error}\n")
        return 1
    chosen = {name: scenario for name, scenario in SCENARIOS.items() if word in name}
    seen: set[Difference] = set()
    wrong = 0
    with tempfile.TemporaryDirectory() as folder, Valkey(Path(folder)) as server:
        url = server.settings()["REDIS_URL"]
        for number, (name, scenario) in enumerate(chosen.items()):
            queue = f"scenario-{number}"
            our = asyncio.run(ours.run(queue, url, scenario.steps))
            their = theirs.run(queue, url, scenario.steps)
            comparison = compare(scenario, our, their)
            seen |= comparison.found
            lines = comparison.lines
            wrong += bool(lines)
            told = f" ({len(scenario.differs)} intended)" if scenario.differs else ""
            sys.stdout.write(f"{'DIFFERS' if lines else 'same'}  {name}{told}\n")
            sys.stdout.writelines(f"    {line}\n" for line in lines)
            sys.stdout.flush()
    unseen = [] if word else [one.name for one in INTENDED if one not in seen]
    for difference in unseen:
        sys.stdout.write(f"UNSEEN  intended, and nowhere found: {difference}\n")
    sys.stdout.write(f"{len(chosen)} scenarios, {wrong} differ, {len(seen)} intended found\n")
    return 1 if wrong or unseen else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
