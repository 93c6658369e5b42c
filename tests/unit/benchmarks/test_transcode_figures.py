"""What `python -m benchmarks.transcode` judges, from outcomes that are given here."""

import pytest

from benchmarks.transcode.cost import Cost
from benchmarks.transcode.figures import Figure, Round, figures_of, table
from benchmarks.transcode.memory import Sample, growth
from benchmarks.transcode.ways import Outcome


def outcome(wall_s: float, *, ffmpeg_s: float = 100.0, own_s: float = 0.0) -> Outcome:
    cost = Cost(wall_s=wall_s, children_cpu_s=ffmpeg_s, own_cpu_s=own_s)
    return Outcome(cost=cost, segments={"360p": 1})


def a_round(*, bare: float, whole: float, separate: float, own_s: float = 1.0) -> Round:
    return {
        "bare": outcome(bare),
        "whole": outcome(whole, own_s=own_s),
        "separate": outcome(separate),
    }


def samples(*rss_mb: float) -> list[Sample]:
    return [Sample(jobs=number, rss_mb=rss) for number, rss in enumerate(rss_mb, start=1)]


FLAT = samples(80, 100, 101, 100, 102, 101)


def by_name(figures: list[Figure]) -> dict[str, Figure]:
    return {figure.name: figure for figure in figures}


def test_ratios_are_taken_within_a_round_and_the_median_is_judged() -> None:
    rounds = [
        a_round(bare=10, whole=10.2, separate=15),
        # a neighbour took half of the machine
        a_round(bare=20, whole=20.8, separate=30),
        a_round(bare=10, whole=14, separate=15),
    ]
    figures = by_name(figures_of(rounds, FLAT))
    ratio = figures["whole job ÷ bare FFmpeg command, wall time"]
    assert ratio.found is not None
    assert (ratio.found.low, ratio.found.median, ratio.found.high) == (1.02, 1.04, 1.4)
    assert all(figure.kept for figure in figures.values())


@pytest.mark.parametrize(
    ("missed", "rounds"),
    [
        (
            "whole job ÷ bare FFmpeg command, wall time",
            [a_round(bare=10, whole=10.6, separate=15)],
        ),
        (
            "CPU of the worker ÷ CPU of FFmpeg, in a whole job",
            [a_round(bare=10, whole=10, separate=15, own_s=3.5)],
        ),
        (
            "a run for each rung ÷ bare FFmpeg command, wall time",
            [a_round(bare=10, whole=10, separate=13)],
        ),
    ],
)
def test_a_bound_that_is_missed_is_named(missed: str, rounds: list[Round]) -> None:
    figures = figures_of(rounds, FLAT)
    assert [figure.name for figure in figures if not figure.kept] == [missed]
    assert [line for line in table(figures).splitlines() if line.endswith("| missed |")] == [
        line for line in table(figures).splitlines() if line.startswith(f"| {missed} |")
    ]


def test_memory_that_grows_is_seen_after_the_warm_up() -> None:
    assert growth(FLAT) == pytest.approx(1.0, abs=0.02)
    assert growth(samples(80, 90, 100, 100, 104, 104, 110, 115, 115)) > 1.03


def test_what_there_was_no_time_for_is_not_kept() -> None:
    figures = figures_of([], [])
    assert {figure.name for figure in figures if figure.kept} == {
        figure.name for figure in figures if figure.bound is None
    }
    assert "| not measured | missed |" in table(figures)
