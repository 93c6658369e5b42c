"""Runs a scenario on BullMQ, in its own environment under .devstack/bench."""

import json
import os
import subprocess
from pathlib import Path

from benchmarks.peers.catalogue import PEERS, REFERENCE
from tests.differential.events import by_job, of_theirs
from tests.differential.outcome import Outcome, with_plain_ids
from tests.differential.scenario import Step

_PROGRAM = Path(__file__).parent / "bullmq.cjs"


def run(name: str, redis_url: str, steps: list[Step]) -> Outcome:
    """Run a scenario on a queue of this name. Raises RuntimeError with what Node said."""
    scenario = json.dumps({"name": name, "url": redis_url, "steps": steps})
    done = subprocess.run(
        ["node", str(_PROGRAM)],
        input=scenario,
        env={"PATH": os.environ["PATH"], **PEERS[REFERENCE].environ()},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"BullMQ could not run {name}: {done.stderr.strip()}")
    outcome: Outcome = json.loads(done.stdout)
    outcome["events"] = by_job(of_theirs(*event) for event in outcome["events"])
    return with_plain_ids(outcome)
