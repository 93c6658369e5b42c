"""The comparison with BullMQ sees what differs, and where it is not meant to."""

import copy
from typing import Any

import pytest

from tests.differential.comparison import compare
from tests.differential.intended import CLEARED_REASON, INTENDED, Difference
from tests.differential.scenario import Scenario
from tests.differential.scenarios import SCENARIOS

OUTCOME: dict[str, Any] = {
    "steps": [
        {
            "answer": None,
            "counts": {"completed": 1},
            "jobs": {"a": {"state": "completed", "failed_reason": None, "traces": 1}},
        }
    ],
    "order": ["a"],
    "events": {"a": [{"event": "completed", "returnvalue": 1}]},
}


def compared(*differs: Difference, **changes: Any) -> list[str]:
    """Compare with an outcome of BullMQ's that has other values in its job."""
    their = copy.deepcopy(OUTCOME)
    their["steps"][0]["jobs"]["a"] |= changes
    scenario = Scenario(steps=[["work", {}]], differs=differs)
    return compare(scenario, copy.deepcopy(OUTCOME), their).lines


def test_the_same_outcome_does_not_differ() -> None:
    assert compared() == []


def test_a_difference_is_told_with_its_step() -> None:
    assert compared(traces=2) == ["1 work {}/jobs/a/traces: 1, BullMQ has 2"]


def test_an_intended_difference_is_an_error_where_no_scenario_names_it() -> None:
    assert compared(CLEARED_REASON, failed_reason="boom") == []
    (line,) = compared(failed_reason="boom")
    assert "failed_reason" in line


def test_an_intended_difference_that_is_not_there_is_told() -> None:
    assert compared(CLEARED_REASON) == [f"intended, and not found: {CLEARED_REASON.name}"]


@pytest.mark.parametrize(
    ("part", "value", "line"),
    [
        ("order", ["a", "a"], "order: ['a'], BullMQ has ['a', 'a']"),
        (
            "events",
            {"a": [{"event": "completed", "returnvalue": 2}]},
            "events/a[0]/returnvalue: 1, BullMQ has 2",
        ),
    ],
)
def test_order_and_what_events_tell_are_compared(part: str, value: Any, line: str) -> None:
    their = copy.deepcopy(OUTCOME) | {part: value}
    assert compare(Scenario(steps=[["work", {}]]), copy.deepcopy(OUTCOME), their).lines == [line]


def test_each_intended_difference_is_shown_by_a_scenario() -> None:
    shown = {difference for scenario in SCENARIOS.values() for difference in scenario.differs}
    assert {one for one in INTENDED if not one.is_everywhere} == shown
