"""Medians with their spread, and percentiles."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """The repeats of one figure."""

    median: float
    low: float
    high: float
    repeats: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Of one value or more; raises ValueError without any."""
        if not values:
            raise ValueError("no repeats: the spread of nothing was asked for")
        return cls(
            median=statistics.median(values),
            low=min(values),
            high=max(values),
            repeats=len(values),
        )


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that `percent` % of all values do not exceed (nearest rank).

    Raises ValueError without values.
    """
    if not values:
        raise ValueError(f"no values: their p{percent:g} was asked for")
    rank = max(math.ceil(len(values) * percent / 100), 1)
    return sorted(values)[rank - 1]
