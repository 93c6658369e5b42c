"""When a run of the harness ends with 1."""

import pytest

from benchmarks.__main__ import verdict
from benchmarks.results import Run
from tests.unit.benchmarks.results_of import results_of


def _with(run: Run, *, planned: int = 1) -> int:
    results = results_of({})
    results.runs, results.planned = [run], planned
    return verdict(results)


def _inexact(contender: str) -> Run:
    return Run(
        scenario="consume-10",
        contender=contender,
        repeat=0,
        figures={"jobs_per_s": 1.0},
        not_exactly_once="of 10 jobs: 1 run again",
    )


def _failed(contender: str) -> Run:
    return Run(scenario="consume-10", contender=contender, repeat=0, failure="given up")


def test_all_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    run = Run(scenario="idle", contender="vqueue", repeat=0, figures={"commands_per_s": 1.5})
    assert _with(run) == 0
    assert "not done" not in capsys.readouterr().out


@pytest.mark.parametrize("contender", ["vqueue", "vqueue:no-busy-poll", "bullmq-node"])
def test_a_job_that_ran_twice(contender: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert _with(_inexact(contender)) == 1
    assert f"not exactly once: consume-10 with {contender}\n" in capsys.readouterr().out


@pytest.mark.parametrize("contender", ["vqueue:defaults", "bullmq-node", "redis-limit"])
def test_a_run_that_failed(contender: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert _with(_failed(contender)) == 1
    assert f"failed: consume-10 with {contender}\n" in capsys.readouterr().out


@pytest.mark.parametrize("run", [_inexact("saq"), _failed("saq")], ids=["inexact", "failed"])
def test_another_queue_fails_nothing(run: Run) -> None:
    assert _with(run) == 0


def test_an_interrupted_run(capsys: pytest.CaptureFixture[str]) -> None:
    run = Run(scenario="idle", contender="vqueue", repeat=0, figures={"commands_per_s": 1.5})
    assert _with(run, planned=4) == 1
    assert "not done: 3 of 4 runs\n" in capsys.readouterr().out
