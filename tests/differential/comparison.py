"""Compares two outcomes: what differs, but for what is meant to in this scenario."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.differential.intended import INTENDED, Difference
from tests.differential.outcome import Outcome
from tests.differential.scenario import Scenario


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """What came of comparing two outcomes."""

    #: Where they differ, and the intended differences that were named and not found.
    lines: list[str]
    #: The intended differences that there were.
    found: set[Difference]


def compare(scenario: Scenario, our: Outcome, their: Outcome) -> Comparison:
    """Compare two outcomes of a scenario; takes what is meant to differ there out of them."""
    expected = [one for one in INTENDED if one.is_everywhere or one in scenario.differs]
    found = set()
    for difference in expected:
        before = copy.deepcopy((our, their))
        difference.apply(our, their)
        if before != (our, their):
            found.add(difference)
    lines = [f"intended, and not found: {one.name}" for one in scenario.differs if one not in found]
    for number, step in enumerate(scenario.steps, 1):
        sides = our["steps"][number - 1], their["steps"][number - 1]
        lines += _differences(f"{number} {' '.join(map(str, step[:2]))}", *sides)
    lines += _differences("order", our["order"], their["order"])
    lines += _differences("events", our["events"], their["events"])
    return Comparison(lines=lines, found=found)


def _differences(path: str, our: Any, their: Any) -> Iterator[str]:
    if isinstance(our, dict) and isinstance(their, dict):
        for key in sorted(our.keys() | their.keys()):
            yield from _differences(f"{path}/{key}", our.get(key), their.get(key))
    elif isinstance(our, list) and isinstance(their, list) and len(our) == len(their):
        for index, pair in enumerate(zip(our, their, strict=True)):
            yield from _differences(f"{path}[{index}]", *pair)
    elif our != their:
        yield f"{path}: {our!r}, BullMQ has {their!r}"
