"""Options: what is refused, what is stored, what comes back."""

import json
from datetime import timedelta
from typing import Any

import pytest

from vqueue import Backoff, InvalidOption, JobOptions, Retention
from vqueue.quantities import to_ms


@pytest.mark.parametrize(
    ("value", "ms"),
    [
        (0, 0),
        (1.5, 1500),
        (timedelta(minutes=1), 60_000),
        (0.0004, 0),
        (9.9999e9, 9_999_900_000_000),
    ],
)
def test_times_become_whole_milliseconds(value: Any, ms: int) -> None:
    assert to_ms(value, what="delay") == ms


@pytest.mark.parametrize(
    "value", [-1, 1e10, True, "5", None, float("nan"), float("inf"), timedelta(seconds=-1)]
)
def test_other_times_are_refused(value: Any) -> None:
    with pytest.raises(InvalidOption, match="delay must be seconds"):
        to_ms(value, what="delay")


def test_defaults_store_nothing() -> None:
    assert JobOptions().wire == {}
    assert JobOptions(attempts=1, backoff=0, delay=5, priority=3).wire == {}


def test_options_that_a_worker_needs_are_stored() -> None:
    options = JobOptions(
        attempts=3,
        backoff=2,
        remove_on_complete=True,
        remove_on_fail=Retention(count=5, age=60),
        max_stalled=0,
        timeout=1.5,
        lock_duration=0.1,
    )
    assert options.wire == {
        "attempts": 3,
        "backoff": {"delay": 2000},
        "remove_on_complete": "0 -1",
        "remove_on_fail": "5 60000",
        "max_stalled": 0,
        "timeout": 1500,
        "lock_duration": 100,
    }


@pytest.mark.parametrize(
    "backoff",
    [
        Backoff(delay=1.5),
        Backoff(type="exponential", delay=2),
        Backoff(type="exponential", delay=2, factor=4.0),
        Backoff(delay=3, jitter=0.5),
        Backoff(type="custom"),
    ],
    ids=repr,
)
def test_a_backoff_comes_back_from_the_wire(backoff: Backoff) -> None:
    assert Backoff.from_wire(json.loads(json.dumps(backoff.to_wire()))) == backoff


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"delay": -1}, "backoff delay"),
        ({"jitter": 1.1}, "jitter"),
        ({"jitter": -0.1}, "jitter"),
        ({"factor": 0.5}, "factor"),
        ({"factor": 1001}, "factor"),
        ({"type": ""}, "type"),
    ],
    ids=str,
)
def test_a_bad_backoff_is_refused(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidOption, match=named):
        Backoff(**fields)


def test_a_fixed_backoff_is_the_same_after_every_attempt() -> None:
    assert [Backoff(delay=2).delay_ms(made) for made in (1, 2, 10)] == [2000] * 3


def test_an_exponential_backoff_grows_by_its_factor() -> None:
    doubling = Backoff(type="exponential", delay=1)
    assert [doubling.delay_ms(made) for made in (1, 2, 3, 4)] == [1000, 2000, 4000, 8000]
    video = Backoff(type="exponential", delay=2, factor=4)
    assert [video.delay_ms(made) for made in (1, 2, 3)] == [2000, 8000, 32_000]


def test_an_exponential_backoff_has_an_end() -> None:
    assert Backoff(type="exponential", delay=1, factor=1000).delay_ms(100) == 10**12


@pytest.mark.parametrize(("jitter", "low"), [(0.5, 500), (1, 0), (0.1, 900)])
def test_jitter_stays_in_its_band_and_uses_all_of_it(jitter: float, low: int) -> None:
    waits = [Backoff(delay=1, jitter=jitter).delay_ms(1) for _ in range(2000)]
    assert low <= min(waits)
    assert max(waits) <= 1000
    width = 1000 - low
    assert min(waits) < low + width / 10
    assert max(waits) > 1000 - width / 10


@pytest.mark.parametrize(
    ("short", "rule"),
    [
        (True, "0 -1"),
        (False, "-1 -1"),
        (0, "0 -1"),
        (10, "10 -1"),
        (Retention(age=1.5), "-1 1500"),
        (Retention(count=3, age=timedelta(hours=1)), "3 3600000"),
    ],
    ids=str,
)
def test_short_forms_of_retention(short: bool | int | Retention, rule: str) -> None:
    assert Retention.of(short).to_wire() == rule


@pytest.mark.parametrize("fields", [{"count": -1}, {"count": True}, {"count": 1.5}, {"age": -1}])
def test_a_bad_retention_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidOption, match="retention"):
        Retention(**fields)
