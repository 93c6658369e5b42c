import pytest

from benchmarks.__main__ import scenarios_that_fit
from benchmarks.peers.catalogue import LIMIT, contender
from benchmarks.results import Results, Run
from benchmarks.runner import LIMIT_SCENARIOS, is_hopeless, plan
from benchmarks.scenarios import SCENARIOS

TWO = [contender("vqueue"), contender("bullmq-node")]


def test_contenders_are_neighbours_and_take_turns_in_being_first() -> None:
    runs = plan([SCENARIOS["add-one"], SCENARIOS["add-bulk"]], TWO, repeats=2, quick=False)
    assert [(run.repeat, run.scenario.name, run.contender.label) for run in runs] == [
        (0, "add-one", "vqueue"),
        (0, "add-one", "bullmq-node"),
        (0, "add-bulk", "vqueue"),
        (0, "add-bulk", "bullmq-node"),
        (1, "add-one", "bullmq-node"),
        (1, "add-one", "vqueue"),
        (1, "add-bulk", "bullmq-node"),
        (1, "add-bulk", "vqueue"),
    ]


def test_the_two_that_are_compared_stay_neighbours_among_others() -> None:
    four = [*TWO, contender("saq"), contender("rq")]
    runs = list(plan([SCENARIOS["add-one"]], four, repeats=4, quick=False))
    turns = [[run.contender.label for run in runs if run.repeat == repeat] for repeat in range(4)]
    assert turns == [
        ["vqueue", "bullmq-node", "saq", "rq"],
        ["rq", "bullmq-node", "vqueue", "saq"],
        ["saq", "rq", "vqueue", "bullmq-node"],
        ["bullmq-node", "vqueue", "saq", "rq"],
    ]


def test_a_quick_run_repeats_a_scenario_no_more_often_than_it_says() -> None:
    for quick, repeats in ((True, [0]), (False, [0, 1, 2, 3, 4])):
        runs = plan([SCENARIOS["idle"]], TWO[:1], repeats=5, quick=quick)
        assert [run.repeat for run in runs] == repeats


def test_a_scenario_of_our_own_is_not_asked_of_others() -> None:
    runs = plan([SCENARIOS["mirror-drain"]], TWO, repeats=1, quick=False)
    assert [run.contender.label for run in runs] == ["vqueue"]


def test_quick_leaves_out_what_takes_long() -> None:
    names = {
        run.scenario.name for run in plan(list(SCENARIOS.values()), TWO, repeats=1, quick=True)
    }
    assert "worker-memory" not in names
    assert {"add-bulk", "consume-10", "memory", "mirror-lag"} <= names


def test_the_limit_is_measured_only_where_its_commands_are_known() -> None:
    runs = plan(list(SCENARIOS.values()), [contender(LIMIT.name)], repeats=1, quick=False)
    assert {run.scenario.name for run in runs} == LIMIT_SCENARIOS


def test_what_has_failed_twice_is_not_tried_again() -> None:
    (item,) = plan([SCENARIOS["add-one"]], [contender("saq")], repeats=1, quick=False)
    results = Results(machine={}, quick=False)

    def happened(scenario: str, contender: str, failure: str, *, unsupported: bool = False) -> None:
        results.runs.append(
            Run(
                scenario=scenario,
                contender=contender,
                repeat=len(results.runs),
                failure=failure,
                unsupported=unsupported,
            )
        )

    happened("add-one", "saq", "no answer")
    happened("add-one", "saq", "unsupported", unsupported=True)
    happened("add-one", "vqueue", "no answer")
    happened("add-bulk", "saq", "no answer")
    assert not is_hopeless(item, results)
    happened("add-one", "saq", "no answer")
    assert is_hopeless(item, results)


@pytest.mark.parametrize(("cores", "is_left_out"), [({0, 1}, True), ({0, 1, 2}, False)])
def test_processes_without_cores_of_their_own_are_left_out_and_named(
    cores: set[int],
    is_left_out: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: cores)
    fitting = scenarios_that_fit()
    assert set(SCENARIOS) - set(fitting) == ({"processes-4"} if is_left_out else set())
    assert ("processes-4, which needs 2 cores" in capsys.readouterr().out) == is_left_out
