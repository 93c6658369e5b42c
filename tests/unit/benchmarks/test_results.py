import subprocess
from pathlib import Path

import pytest

from benchmarks import machine
from benchmarks.results import NotAResult, Results, Run
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
