"""Random steps of producers and two workers, on the real scripts and on a model in Python.

240 runs of 30 steps are a part of `make test`: 40 of each machine, since the more rules there are
the seldomer those meet that belong together. MODEL_RUNS=4000 asks for more of each, and for other
ones: the usual ones are the same every time.
"""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from devstack import Valkey
from tests.conformance.model.adding import Adding
from tests.conformance.model.cleaning import Cleaning
from tests.conformance.model.deduplicating import Deduplicating
from tests.conformance.model.faults import Faults
from tests.conformance.model.grouping import Grouping
from tests.conformance.model.limiting import Limiting
from tests.conformance.model.machine import QueueFrame
from tests.conformance.model.operating import Operating
from tests.conformance.model.relating import Relating
from tests.conformance.model.scheduling import Scheduling
from tests.conformance.model.working import Working

RUNS = 40


class Plain(Adding, Working, Faults, Operating):
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
    *(Adding, Grouping, Relating, Deduplicating, Scheduling),
    *(Working, Faults, Operating, Limiting, Cleaning),
):
    """Everything in one queue."""


@pytest.mark.parametrize("machine", [Plain, InGroups, InFlows, MadeOnce, Administered, Mixed])
def test_any_order_of_calls_leaves_the_queue_as_the_model_says(
    machine: type[QueueFrame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = int(os.environ.get("MODEL_RUNS", RUNS))
    how = settings(
        max_examples=asked,
        stateful_step_count=30,
        deadline=None,
        # shrinking takes minutes: it is for MODEL_RUNS
        phases=[Phase.generate] if asked == RUNS else [Phase.generate, Phase.shrink],
        database=None,
        derandomize=asked == RUNS,
        suppress_health_check=list(HealthCheck),
    )
    # each step reads all keys: a server of its own has few
    with Valkey(tmp_path) as server:
        url = server.settings()["REDIS_URL"]
        monkeypatch.setattr(machine, "redis_url", url, raising=False)
        run_state_machine_as_test(machine, settings=how)
