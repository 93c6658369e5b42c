import pytest

from benchmarks.peers.catalogue import REFERENCE
from benchmarks.scenarios import SCENARIOS
from benchmarks.targets import BEST_SLOTS, OURS, TARGETS, Target, Verdict, best_slots, judge
from tests.unit.benchmarks.results_of import results_of

TWICE = Target(
    title="bulk add",
    scenario="add-bulk",
    figure="jobs_per_s",
    bound=2.0,
    at_least=True,
    is_ratio=True,
)
AT_MOST_400 = Target(
    title="memory",
    scenario="memory",
    figure="jobs_per_s",
    bound=400,
    at_least=False,
    is_ratio=False,
)
BEST = tuple(target for target in TARGETS if target.scenario == BEST_SLOTS)


@pytest.mark.parametrize(
    ("ours", "verdict"),
    [
        ([200.0, 250.0, 210.0], Verdict.MET),
        ([190.0, 200.0, 180.0], Verdict.WITHIN_SPREAD),
        ([190.0, 199.0, 180.0], Verdict.MISSED),
        ([], Verdict.NOT_MEASURED),
    ],
)
def test_a_ratio_is_missed_when_no_repeat_reaches_it(ours: list[float], verdict: Verdict) -> None:
    results = results_of({("add-bulk", OURS): ours, ("add-bulk", REFERENCE): [100.0, 100.0, 100.0]})
    assert [row.verdict for row in judge(results, (TWICE,))] == [verdict]


@pytest.mark.parametrize(
    ("ours", "verdict"),
    [
        ([390.0, 400.0, 410.0], Verdict.MET),
        ([400.0, 420.0, 410.0], Verdict.WITHIN_SPREAD),
        ([401.0, 420.0, 410.0], Verdict.MISSED),
    ],
)
def test_an_upper_bound_is_missed_when_no_repeat_is_below_it(
    ours: list[float], verdict: Verdict
) -> None:
    assert judge(results_of({("memory", OURS): ours}), (AT_MOST_400,))[0].verdict is verdict


def test_ratios_are_taken_between_runs_of_the_same_repeat() -> None:
    # the machine was twice as slow in the second repeat: the ratio is the same
    results = results_of({("add-bulk", OURS): [300.0, 150.0], ("add-bulk", REFERENCE): [100, 50]})
    found = judge(results, (TWICE,))[0].found
    assert found is not None
    assert (found.low, found.high) == (3.0, 3.0)


def test_a_failed_run_of_the_reference_leaves_its_repeat_out() -> None:
    results = results_of({("add-bulk", OURS): [300.0, 150.0], ("add-bulk", REFERENCE): [100.0]})
    found = judge(results, (TWICE,))[0].found
    assert found is not None
    assert found.repeats == 1


def test_best_slots_are_each_contenders_own() -> None:
    results = results_of(
        {
            **{(f"consume-{slots}", OURS): [10.0] for slots in (1, 10, 100)},
            ("consume-500", OURS): [90.0],
            ("consume-100-aof", OURS): [1000.0],
            **{(f"consume-{slots}", REFERENCE): [20.0] for slots in (1, 100, 500)},
            ("consume-10", REFERENCE): [30.0],
        }
    )
    assert best_slots(results, OURS) == "consume-500"
    row = judge(results, BEST)[0]
    assert row.found is not None
    assert row.found.median == 3.0
    assert row.verdict is Verdict.MET


@pytest.mark.parametrize("lacks_one", [OURS, REFERENCE])
def test_best_slots_are_not_judged_unless_all_were_measured(lacks_one: str) -> None:
    figures = {
        (f"consume-{slots}", label): [10.0]
        for slots in (1, 10, 100, 500)
        for label in (OURS, REFERENCE)
        if (slots, label) != (500, lacks_one)
    }
    row = judge(results_of(figures), BEST)[0]
    assert (row.verdict, row.found) == (Verdict.NOT_MEASURED, None)


def test_every_target_names_a_scenario_that_exists() -> None:
    assert {target.scenario for target in TARGETS} - {BEST_SLOTS} <= SCENARIOS.keys()


@pytest.mark.parametrize(
    ("growth_mb", "verdict"), [(0.4, Verdict.MET), (-1.0, Verdict.MET), (5.1, Verdict.MISSED)]
)
def test_a_worker_that_grows_misses_its_target(growth_mb: float, verdict: Verdict) -> None:
    results = results_of({("worker-memory", OURS): [growth_mb]}, figure="growth_mb")
    rows = {row.target.scenario: row.verdict for row in judge(results)}
    assert rows["worker-memory"] is verdict
