"""What vqueue must reach (issue 3), and whether a result reaches it."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from benchmarks.peers.catalogue import REFERENCE
from benchmarks.results import Results
from benchmarks.scenarios.consuming import SLOTS
from benchmarks.spread import Spread

OURS = "vqueue"

#: Stands for the number of slots that is a contender's fastest.
BEST_SLOTS = "consume-best"
_CONSUMING = {f"consume-{slots}" for slots in SLOTS}


class Verdict(StrEnum):
    """What a row says."""

    #: The median reaches the bound.
    MET = "met"
    #: The median does not, some repeat does: noise may have decided.
    WITHIN_SPREAD = "within the spread"
    #: No repeat reaches it.
    MISSED = "missed"
    #: The result has no such runs.
    NOT_MEASURED = "not measured"


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """One row of the table."""

    title: str
    scenario: str
    figure: str
    bound: float
    #: Whether the bound is the least or the most.
    at_least: bool
    #: Whether the bound is a ratio to the reference's figure, or the figure itself.
    is_ratio: bool
    unit: str = ""


def _ratio(title: str, scenario: str, *, least: float) -> Target:
    return Target(
        title=title,
        scenario=scenario,
        figure="jobs_per_s",
        bound=least,
        at_least=True,
        is_ratio=True,
    )


def _ratio_at_most(title: str, scenario: str, figure: str, most: float) -> Target:
    return Target(
        title=title, scenario=scenario, figure=figure, bound=most, at_least=False, is_ratio=True
    )


def _at_most(title: str, scenario: str, figure: str, most: float, unit: str) -> Target:
    return Target(
        title=title,
        scenario=scenario,
        figure=figure,
        bound=most,
        at_least=False,
        is_ratio=False,
        unit=unit,
    )


TARGETS = (
    _ratio("consume, best slots", BEST_SLOTS, least=3.0),
    _ratio("consume, 10 slots", "consume-10", least=1.5),
    _ratio("consume, 1 slot", "consume-1", least=1.3),
    _ratio("bulk add", "add-bulk", least=4.0),
    _ratio("100 concurrent adds", "add-concurrent", least=2.5),
    _ratio("adds one at a time", "add-one", least=1.3),
    _ratio_at_most("add to start, idle queue, p50", "latency-idle", "p50_ms", 0.65),
    _ratio_at_most("add to start, idle queue, p99", "latency-idle", "p99_ms", 1.0),
    _ratio_at_most("Redis CPU per job, add to finish", "memory", "redis_us_per_job", 0.5),
    _at_most("Redis memory per waiting job", "memory", "waiting_bytes", 400, "B"),
    _at_most("Redis memory per finished job kept", "memory", "kept_bytes", 600, "B"),
    _at_most("1 M waiting jobs", "backlog-1m", "memory_mb", 500, "MB"),
    _at_most(
        "1 M waiting jobs, p99 of add", "backlog-1m", "add_p99_ratio", 2.0, "of the empty queue"
    ),
    _at_most(
        "1 M waiting jobs, p99 of take", "backlog-1m", "take_p99_ratio", 2.0, "of the empty queue"
    ),
    Target(
        title="mirror drains a backlog of finished jobs",
        scenario="mirror-drain",
        figure="jobs_per_s",
        bound=5000,
        at_least=True,
        is_ratio=False,
        unit="jobs/s",
    ),
    _at_most("mirror's lag at 1,000 jobs/s, p95", "mirror-lag", "p95_s", 1.0, "s"),
    _at_most("idle worker", "idle", "commands_per_s", 2.0, "commands/s"),
    _at_most("growth of a worker over 1 M jobs", "worker-memory", "growth_mb", 5, "MB"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A target beside what was found."""

    target: Target
    #: Of the ratios, or of our figure; None when it was not measured.
    found: Spread | None
    verdict: Verdict


def judge(results: Results, targets: tuple[Target, ...] = TARGETS) -> list[Row]:
    """Hold a result against the targets.

    Ratios are taken within a repeat, between neighbours in time, then their median and spread.
    """
    rows = []
    for target in targets:
        found = _found(results, target)
        rows.append(Row(target=target, found=found, verdict=_verdict(target, found)))
    return rows


def _found(results: Results, target: Target) -> Spread | None:
    ours = _values(results, target, OURS)
    if target.is_ratio:
        theirs = _values(results, target, REFERENCE)
        values = [ours[n] / theirs[n] for n in sorted(ours.keys() & theirs.keys()) if theirs[n]]
    else:
        values = list(ours.values())
    return Spread.of(values) if values else None


def _values(results: Results, target: Target, contender: str) -> dict[int, float]:
    scenario = target.scenario
    if scenario == BEST_SLOTS:
        best = best_slots(results, contender)
        if best is None or _consumed(results, contender).keys() != _CONSUMING:
            return {}  # the best of some slots says nothing about the best of all
        scenario = best
    return results.by_repeat(scenario, contender, target.figure)


def best_slots(results: Results, contender: str) -> str | None:
    """The consume scenario in which a contender's median is highest; None without any."""
    medians = _consumed(results, contender)
    return max(medians, key=medians.__getitem__) if medians else None


def _consumed(results: Results, contender: str) -> dict[str, float]:
    """Consume scenario → a contender's median; those that gave none are absent."""
    return {
        scenario: spread.median
        for scenario in results.scenarios
        if scenario in _CONSUMING
        if (spread := results.spread(scenario, contender, "jobs_per_s")) is not None
    }


def _verdict(target: Target, found: Spread | None) -> Verdict:
    if found is None:
        return Verdict.NOT_MEASURED
    reaches: Callable[[float], bool] = (
        (lambda value: value >= target.bound)
        if target.at_least
        else (lambda value: value <= target.bound)
    )
    if reaches(found.median):
        return Verdict.MET
    if reaches(found.high if target.at_least else found.low):
        return Verdict.WITHIN_SPREAD
    return Verdict.MISSED
