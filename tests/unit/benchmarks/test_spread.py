import pytest

from benchmarks.spread import Spread, percentile


def test_spread_is_the_median_between_the_lowest_and_the_highest() -> None:
    assert Spread.of([5.0, 1.0, 2.0]) == Spread(median=2.0, low=1.0, high=5.0, repeats=3)


def test_spread_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no repeats"):
        Spread.of([])


@pytest.mark.parametrize(
    ("percent", "expected"), [(50, 50.0), (99, 99.0), (99.5, 100.0), (100, 100.0), (0, 1.0)]
)
def test_percentile_is_the_nearest_rank(percent: float, expected: float) -> None:
    values = [float(value) for value in range(100, 0, -1)]
    assert percentile(values, percent) == expected


def test_percentile_of_one_value_is_that_value() -> None:
    assert percentile([7.0], 99) == 7.0


def test_percentile_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 99)
