import subprocess
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from benchmarks import machine, runner
from benchmarks.bench import Bench
from benchmarks.peers.catalogue import contender
from benchmarks.results import NotAResult, Results, Run
from benchmarks.runner import Planned, plan, run_all
from benchmarks.scenarios import SCENARIOS
from tests.unit.benchmarks.results_of import results_of


def test_a_result_survives_the_file() -> None:
    results = results_of({("add-bulk", "vqueue"): [1.0, 2.0]})
    assert Results.from_json(results.to_json(), name="x") == results


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 0}', '{"format": 1, "runs": [{}]}'])
def test_a_file_that_is_no_result_is_refused_by_name(text: str) -> None:
    with pytest.raises(NotAResult, match=r"odd\.json"):
        Results.from_json(text, name="odd.json")


def test_a_result_of_another_format_is_refused() -> None:
    text = results_of({}).to_json().replace('"format": 1', '"format": 2')
    with pytest.raises(NotAResult, match="has format 2, and this code reads 1"):
        Results.from_json(text, name="later.json")


def test_a_file_from_before_runs_were_planned_is_read() -> None:
    text = results_of({("add-bulk", "vqueue"): [1.0]}).to_json().replace(' "planned": 0,\n', "")
    assert "planned" not in text
    assert Results.from_json(text, name="old.json").planned == 0


def test_an_unsupported_scenario_is_no_failure() -> None:
    results = results_of({})
    broken = Run(scenario="s", contender="a", repeat=0, failure="given up after 60 s")
    missing = Run(scenario="s", contender="b", repeat=0, failure="no bulk add", unsupported=True)
    results.runs += [broken, missing]
    assert results.failures() == [broken]


def test_an_interrupted_run_keeps_what_was_done_and_how_much_was_planned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for servers in ("BenchValkey", "RedisProbe", "Placement", "fingerprint"):
        monkeypatch.setattr(runner, servers, MagicMock())

    async def measured(item: Planned, _: Bench) -> Run:
        return Run(scenario=item.scenario.name, contender="vqueue", repeat=item.repeat)

    def report(number: int, _: Run) -> None:
        if number == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(runner, "_run", measured)
    planned = plan([SCENARIOS["add-one"]], [contender("vqueue")], repeats=3, quick=True)
    found = run_all(list(planned), quick=True, report=report)
    assert [run.repeat for run in found.runs] == [0, 1]
    assert found.planned == 3


@pytest.mark.parametrize(
    ("changed", "uncommitted"),
    [
        ("src/vqueue/worker.py", True),
        ("benchmarks/runner.py", True),
        ("benchmarks/results/20261126T090000Z.json", False),
        ("README.md", False),
    ],
)
def test_what_measures_counts_as_uncommitted_and_what_came_of_it_does_not(
    changed: str, uncommitted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    file = tmp_path / changed
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    monkeypatch.setattr(machine, "ROOT", tmp_path)
    assert machine.host("benchmarks")["uncommitted"] is uncommitted
