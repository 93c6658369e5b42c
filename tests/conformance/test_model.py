"""Random steps of producers and two workers, on the real scripts and on a model in Python.

210 runs of 30 steps are a part of `make test`: 35 of each machine, since the more rules there are
the seldomer those meet that belong together; and three short ones with a crowd in each state, whose
steps cost more. MODEL_RUNS=4000 asks for more of each, and for other ones: the usual ones are the
same every time. The seed of those is printed, and MODEL_SEED takes it to have them again.
"""

import os
import secrets
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from devstack import Valkey
from tests.conformance.model.adding import Adding
from tests.conformance.model.cleaning import Cleaning
from tests.conformance.model.crowding import STATES, Crowding
from tests.conformance.model.deduplicating import Deduplicating
from tests.conformance.model.faults import Faults
from tests.conformance.model.grouping import Grouping
from tests.conformance.model.limiting import Limiting
from tests.conformance.model.machine import QueueFrame
from tests.conformance.model.operating import Operating
from tests.conformance.model.relating import Relating
from tests.conformance.model.scheduling import Scheduling
from tests.conformance.model.streaming import Streaming
from tests.conformance.model.working import Working

RUNS = 35
CROWDED_RUNS, CROWDED_STEPS = 3, 12


class Plain(Adding, Streaming, Working, Faults, Operating):
    """Single jobs."""


class InGroups(Grouping, Working, Faults, Operating):
    """Jobs of groups."""


class InFlows(Relating, Working, Faults, Operating):
    """Parents and children."""


class MadeOnce(Deduplicating, Scheduling, Relating, Working, Operating):
    """Jobs that stand for others, and those of schedulers; all of them may be children."""


class Administered(Adding, Deduplicating, Limiting, Cleaning, Working, Operating):
    """Jobs that are held back, cleaned and drained."""


class Mixed(
    *(Adding, Streaming, Grouping, Relating, Deduplicating, Scheduling),
    *(Working, Faults, Operating, Limiting, Cleaning),
):
    """Everything in one queue."""


def crowd_of(state: str) -> type[Crowding]:
    """A queue with more jobs of a state than any call looks at."""
    return type(f"Crowd_{state}", (Crowding,), {"crowded": state})


_CROWDS = [crowd_of(state) for state in STATES]


@pytest.mark.parametrize(
    "machine", [Plain, InGroups, InFlows, MadeOnce, Administered, Mixed, *_CROWDS]
)
def test_any_order_of_calls_leaves_the_queue_as_the_model_says(
    machine: type[QueueFrame],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    is_crowded = machine in _CROWDS
    usual = CROWDED_RUNS if is_crowded else RUNS
    is_long = "MODEL_RUNS" in os.environ
    how = settings(
        max_examples=int(os.environ.get("MODEL_RUNS", usual)),
        stateful_step_count=CROWDED_STEPS if is_crowded else 30,
        deadline=None,
        # shrinking takes minutes: it is for the long mode
        phases=[Phase.generate, Phase.shrink] if is_long else [Phase.generate],
        database=None,
        derandomize=not is_long,
        suppress_health_check=list(HealthCheck),
    )
    if is_long:
        number = int(os.environ.get("MODEL_SEED") or secrets.randbelow(2**32))
        seed(number)(machine)
        with capsys.disabled():
            told = f"MODEL_RUNS={how.max_examples} MODEL_SEED={number}"
            sys.stdout.write(f"\n{machine.__name__}: {told}\n")
    # each step reads all keys: a server of its own has few
    with Valkey(tmp_path) as server:
        url = server.settings()["REDIS_URL"]
        monkeypatch.setattr(machine, "redis_url", url, raising=False)
        run_state_machine_as_test(machine, settings=how)
