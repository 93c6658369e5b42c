"""Random steps of producers and two workers, on the real scripts and on a model in Python.

200 runs of 30 steps are a part of `make test`. MODEL_RUNS=20000 asks for more, and for other
ones: the usual ones are the same every time.
"""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from devstack import Valkey
from tests.conformance.model.adding import Adding
from tests.conformance.model.faults import Faults
from tests.conformance.model.operating import Operating
from tests.conformance.model.working import Working

RUNS = 200


class QueueMachine(Adding, Working, Faults, Operating):
    """All rules together: 46 of them."""


def test_any_order_of_calls_leaves_the_queue_as_the_model_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
        monkeypatch.setattr(QueueMachine, "redis_url", url, raising=False)
        run_state_machine_as_test(QueueMachine, settings=how)
