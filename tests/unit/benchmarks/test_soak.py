import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from benchmarks.soak import (
    JUDGED,
    MOST_OLDER,
    TOMBSTONE_S,
    Sample,
    growth,
    outlived,
    scope,
    tombstone_bound,
)

COUNT = 90
SAMPLE = Sample(
    at_s=0, ended=0, keys=2400, keys_mb=2.2, tombstones=0, server_mb=262.0, process_mb=61.0
)


def samples_of(name: str, values: Sequence[float]) -> list[Sample]:
    changes: list[dict[str, Any]] = [{name: value} for value in values]
    return [replace(SAMPLE, **change) for change in changes]


def steady_run(seconds: int, *, tombstones_live_s: int = TOMBSTONE_S) -> list[Sample]:
    """A sample each 10 s, 1,000 jobs a second, the last 2,000 kept."""
    samples = []
    for at in range(0, seconds + 1, 10):
        removed = max(0, at * 1000 - 2000)
        removed_before = max(0, (at - tombstones_live_s) * 1000 - 2000)
        samples.append(
            replace(SAMPLE, at_s=at, ended=at * 1000, tombstones=removed - removed_before)
        )
    return samples


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("keys", 2277, 2489), ("keys_mb", 1.97, 2.45), ("process_mb", 60.8, 61.8)],
)
@pytest.mark.parametrize("seed", range(20))
def test_noise_of_the_size_that_was_measured_is_no_growth(
    name: str, low: float, high: float, seed: int
) -> None:
    noise = random.Random(seed)  # noqa: S311 - noise that repeats
    assert growth(samples_of(name, [noise.uniform(low, high) for _ in range(COUNT)])) == []


@pytest.mark.parametrize("name", JUDGED)
def test_a_ramp_is_growth(name: str) -> None:
    found = growth(samples_of(name, [1000.0 * (n + 1) for n in range(COUNT)]))
    assert [line.partition(":")[0] for line in found] == [name]


@pytest.mark.parametrize("name", JUDGED)
def test_a_leak_under_a_steady_amount_and_its_noise_is_growth(name: str) -> None:
    noise = random.Random(1)  # noqa: S311 - noise that repeats
    values = [1000 + 8 * n + noise.uniform(-50, 50) for n in range(COUNT)]
    assert len(growth(samples_of(name, values))) == 1


@pytest.mark.parametrize("name", JUDGED)
def test_a_step_in_the_first_third_is_no_growth(name: str) -> None:
    assert growth(samples_of(name, [1000] * 20 + [5000] * (COUNT - 20))) == []


@pytest.mark.parametrize("name", JUDGED)
def test_what_falls_is_no_growth(name: str) -> None:
    assert growth(samples_of(name, [1000.0 * (COUNT - n) for n in range(COUNT)])) == []


def test_memory_of_the_server_that_rises_with_tombstones_is_no_growth() -> None:
    assert growth(samples_of("server_mb", [float(n) for n in range(COUNT)])) == []


def test_a_run_of_too_few_samples_does_not_pass() -> None:
    assert growth([SAMPLE, SAMPLE]) == ["2 samples are too few to compare"]


def test_tombstones_may_be_as_many_as_jobs_ended_in_their_life() -> None:
    samples = steady_run(1400)
    assert outlived(samples) == []
    assert tombstone_bound(samples, 140) == TOMBSTONE_S * 1000 + MOST_OLDER


def test_tombstones_that_do_not_go_are_found() -> None:
    assert outlived(steady_run(1400, tombstones_live_s=620)) != []
    assert len(outlived(steady_run(700, tombstones_live_s=10_000))) == 10


def test_a_run_shorter_than_tombstones_live_says_that_it_did_not_judge_them() -> None:
    short, long = scope(steady_run(590)), scope(steady_run(600))
    assert "not judged: whether tombstones go (588,000 at the end)" in short
    assert "tombstones (598,000 at the end, at most 602,200 may be)" in long
    assert "not judged: the whole server's 262.0 MB" in long
