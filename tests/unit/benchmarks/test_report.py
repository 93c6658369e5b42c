import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from subprocess import CalledProcessError

import pytest

from benchmarks.__main__ import main
from benchmarks.peers.catalogue import Peer
from benchmarks.report import pages
from benchmarks.report.choice import lacking, newest_complete
from benchmarks.report.pages import BEGIN, END, NoMarkers, headlines, replace_block
from benchmarks.report.plots import scenario_chart
from benchmarks.report.tables import (
    EMPTY_CELLS,
    figure_table,
    headline_table,
    limit_table,
    number,
    spread_text,
    target_table,
)
from benchmarks.results import NotAResult, Results, Run
from benchmarks.scenarios import SCENARIOS
from benchmarks.spread import Spread
from benchmarks.targets import judge
from tests.unit.benchmarks.results_of import results_of


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (123_456.0, "123,000"),
        (1_234.0, "1,230"),
        (512.4, "512"),
        (51.24, "51.2"),
        (5.124, "5.12"),
        (0.5124, "0.512"),
        (0.0, "0.000"),
    ],
)
def test_numbers_have_three_significant_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_a_spread_shows_its_lowest_and_highest() -> None:
    assert spread_text(Spread.of([1.0, 2.0, 4.0])) == "2.00 (1.00–4.00)"  # noqa: RUF001
    assert spread_text(Spread.of([2.0])) == "2.00"
    assert spread_text(None) == "-"


def test_cells_tell_missing_features_failures_and_jobs_done_twice_apart() -> None:
    results = results_of({("add-bulk", "vqueue"): [100.0]})
    results.runs += [
        Run(scenario="add-bulk", contender="saq", repeat=0, failure="no", unsupported=True),
        Run(scenario="add-bulk", contender="rq", repeat=0, failure="given up after 60 s"),
        Run(
            scenario="add-bulk",
            contender="arq",
            repeat=0,
            figures={"jobs_per_s": 5.0},
            not_exactly_once="of 9 jobs: 1 run again",
        ),
    ]
    row = headline_table(results).splitlines()[-1]
    assert row.split(" | ")[1:] == ["100", "-", "failed", "5.00 † |"]


def test_signs_are_explained_under_the_table() -> None:
    results = results_of({("add-bulk", "vqueue"): [100.0]})
    results.runs.append(
        Run(scenario="add-bulk", contender="arq", repeat=2, not_exactly_once="of 9 jobs: 1 lost")
    )
    table, _, notes = headlines(results).partition("\n\n")
    assert table == headline_table(results)
    assert notes.splitlines() == [
        f"{EMPTY_CELLS}  ",
        "† arq: add-bulk, repeat 2: of 9 jobs: 1 lost",
    ]


def test_the_target_table_has_ratio_bound_and_verdict() -> None:
    results = results_of({("add-bulk", "vqueue"): [500.0], ("add-bulk", "bullmq-node"): [100.0]})
    assert "| bulk add | ≥ 4 × BullMQ Node | 5.00 | met |" in target_table(judge(results))  # noqa: RUF001


def with_commands(figures: dict[tuple[str, str], tuple[float, float]]) -> Results:
    """(scenario, contender) → jobs a second, commands a job."""
    results = results_of({})
    results.runs = [
        Run(
            scenario=scenario,
            contender=contender,
            repeat=0,
            figures={"jobs_per_s": jobs, "redis_commands_per_job": commands},
        )
        for (scenario, contender), (jobs, commands) in figures.items()
    ]
    return results


@pytest.mark.parametrize(
    ("commands", "share"), [(1.0, "25%"), (1.19, "25%"), (0.84, "25%"), (1.21, "-"), (0.82, "-")]
)
def test_the_share_of_the_limit_is_given_for_the_same_commands(commands: float, share: str) -> None:
    results = with_commands(
        {("add-bulk", "vqueue"): (50.0, commands), ("add-bulk", "redis-limit"): (200.0, 1.0)}
    )
    assert f"| 50.0 | {share} |" in limit_table(results)


def test_the_best_slots_stand_beside_those_that_the_limit_is_of() -> None:
    results = with_commands(
        {
            ("consume-100", "vqueue"): (60.0, 0.364),
            ("consume-500", "vqueue"): (50.0, 0.076),
            ("consume-500", "redis-limit"): (200.0, 0.072),
        }
    )
    rows = [row.split(" | ") for row in limit_table(results).splitlines()[2:]]
    assert [(row[0], row[3]) for row in rows] == [("| consume-500", "25%"), ("| consume-100", "-")]


def test_without_the_commands_of_both_there_is_no_share_of_the_limit() -> None:
    results = results_of({("add-bulk", "vqueue"): [50.0], ("add-bulk", "redis-limit"): [200.0]})
    assert "%" not in limit_table(results)


def test_a_figure_table_leaves_out_who_was_not_measured() -> None:
    results = results_of({("memory", "a"): [5.0], ("add-bulk", "b"): [1.0]}, figure="kept_bytes")
    rows = figure_table(results, "memory", {"kept_bytes": "kept", "waiting_bytes": "waiting"})
    assert rows.splitlines()[2:] == ["| a | 5.00 | - |"]


def test_without_the_limit_there_is_no_table_of_it() -> None:
    assert limit_table(results_of({("add-bulk", "vqueue"): [50.0]})) == ""


def test_the_longest_bar_is_first_and_fits_the_picture() -> None:
    chart = scenario_chart(
        results_of({("add-bulk", "saq"): [10.0, 20.0], ("add-bulk", "vqueue"): [300.0, 400.0]}),
        "add-bulk",
    )
    assert chart is not None
    picture = ElementTree.fromstring(chart)  # noqa: S314 - our own text
    names = [text.text for text in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert names.index("vqueue") < names.index("saq")
    bars = [float(bar.attrib["width"]) for bar in picture.iter("{http://www.w3.org/2000/svg}rect")]
    assert bars[0] > bars[1] > 0
    assert bars[0] < 720


def test_less_is_better_puts_the_shortest_bar_first() -> None:
    chart = scenario_chart(
        results_of({("memory", "a"): [500.0], ("memory", "b"): [300.0]}, figure="waiting_bytes"),
        "memory",
    )
    assert chart is not None
    assert chart.index(">b<") < chart.index(">a<")


def test_one_contender_makes_no_chart() -> None:
    assert scenario_chart(results_of({("add-bulk", "vqueue"): [1.0]}), "add-bulk") is None


def test_only_what_is_between_the_markers_is_replaced(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    for _ in range(2):
        replace_block(page, "new")
    assert page.read_text() == f"before\n{BEGIN}\nnew\n{END}\nafter\n"


@pytest.mark.parametrize("text", ["", f"{BEGIN}\n", f"{END}\n{BEGIN}\n"])
def test_a_file_without_the_markers_is_left_alone(tmp_path: Path, text: str) -> None:
    page = tmp_path / "README.md"
    page.write_text(text)
    with pytest.raises(NoMarkers, match=r"README\.md"):
        replace_block(page, "new")
    assert page.read_text() == text


def whole(*, quick: bool = False) -> Results:
    """Every scenario once, with vqueue and BullMQ."""
    results = results_of({})
    results.runs = [
        Run(scenario=scenario.name, contender=label, repeat=0, figures={scenario.headline: value})
        for scenario in SCENARIOS.values()
        for label, value in (("vqueue", 500.0), ("bullmq-node", 100.0))
        if scenario.is_for(label, quick=quick)
    ]
    results.quick = quick
    results.planned = len(results.runs)
    return results


@pytest.mark.parametrize("quick", [False, True])
def test_a_result_with_all_runs_of_all_scenarios_lacks_nothing(quick: bool) -> None:
    assert lacking(whole(quick=quick)) == ""


def test_an_interrupted_result_says_how_far_it_came() -> None:
    results = whole()
    results.planned += 3
    done = len(results.runs)
    assert lacking(results) == f"Incomplete: {done} of {done + 3} planned runs were done."


def test_a_result_from_before_runs_were_planned_is_not_known_to_be_complete() -> None:
    results = whole()
    results.planned = 0
    assert lacking(results).startswith("Not known to be complete")


def test_a_result_of_some_scenarios_or_queues_names_the_others() -> None:
    results = whole()
    results.runs = [
        run for run in results.runs if run.scenario != "add-one" and run.contender != "bullmq-node"
    ]
    results.planned = len(results.runs)
    assert lacking(results) == (
        "Incomplete: scenarios left out: add-one; queues left out: bullmq-node."
    )


def test_a_scenario_that_a_machine_has_no_cores_for_is_not_missed() -> None:
    results = whole()
    results.runs = [run for run in results.runs if run.scenario != "processes-4"]
    results.planned = len(results.runs)
    assert lacking(results) == ""
    results.machine["placement"]["cores_of_many_processes"] = [1, 2]
    assert "processes-4" in lacking(results)


def test_a_quick_result_with_the_quick_scenarios_is_not_a_full_one() -> None:
    results = whole(quick=True)
    results.quick = False
    assert "worker-memory" in lacking(results)


def test_the_newest_complete_result_is_chosen(tmp_path: Path) -> None:
    interrupted = whole()
    interrupted.planned += 1
    unmarked = whole()
    unmarked.planned = 0
    for day, text in enumerate(
        [whole().to_json(), whole().to_json(), interrupted.to_json(), unmarked.to_json(), "{}"]
    ):
        (tmp_path / f"2026112{day}T100000Z.json").write_text(text)
    assert newest_complete(tmp_path).name == "20261121T100000Z.json"


def test_without_a_complete_result_each_is_named_with_what_it_lacks(tmp_path: Path) -> None:
    (tmp_path / "20261125T100000Z.json").write_text(results_of({}).to_json())
    with pytest.raises(NotAResult, match=r"benchmarks run.*\n  20261125T100000Z\.json: Incomplete"):
        newest_complete(tmp_path)


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an empty page and README, where the report is written."""
    for name, file in (("PAGE", "docs/benchmarks.md"), ("README", "README.md")):
        path = tmp_path / file
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"{BEGIN}\n{END}\n")
        monkeypatch.setattr(pages, name, path)
    monkeypatch.setattr(pages, "PLOTS", tmp_path / "docs" / "benchmarks")
    return tmp_path


def test_the_readme_has_guarantees_and_plots_beside_its_table(published: Path) -> None:
    results = whole()
    results.runs.append(
        Run(scenario="add-bulk", contender="redis-limit", repeat=0, figures={"jobs_per_s": 9.0})
    )
    results.guarantees = {"vqueue": "lease and fence", "redis-limit": "none"}
    source = published / "whole.json"
    source.write_text(results.to_json())
    assert main(["report", str(source), "--readme"]) == 0
    text = (published / "README.md").read_text()
    assert "\n| --- | --- |\n| vqueue | lease and fence |\n| bullmq-node | - |\n" in text
    assert "redis-limit" not in text
    plots = re.findall(r"^!\[[^]]+\]\((.+)\)$", text, re.MULTILINE)
    assert plots == ["docs/benchmarks/consume-1.svg", "docs/benchmarks/latency-idle.svg"]
    assert all((published / plot).exists() for plot in plots)


def test_the_readme_has_no_plot_of_what_was_not_measured(published: Path) -> None:
    source = published / "part.json"
    source.write_text(results_of({("add-bulk", "vqueue"): [5.0]}).to_json())
    assert main(["report", str(source), "--readme"]) == 0
    assert "![" not in (published / "README.md").read_text()


def test_a_run_ends_with_what_each_queue_promises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = results_of({("add-bulk", "vqueue"): [5.0]})
    found.guarantees["vqueue"] = "lease and fence"
    monkeypatch.setattr("benchmarks.__main__.run_all", lambda *_, **__: found)
    monkeypatch.setattr("benchmarks.environments.require", lambda _: None)
    monkeypatch.setattr("benchmarks.results.FOLDER", tmp_path)
    assert main(["run", "--no-setup", "--peers", "vqueue", "--scenarios", "add-bulk"]) == 0
    assert "| vqueue | lease and fence |" in capsys.readouterr().out


def test_a_named_incomplete_file_is_reported_and_says_so(
    published: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = whole()
    results.planned = 1000
    results.machine["uncommitted"] = True
    source = published / "part.json"
    source.write_text(results.to_json())
    assert main(["report", str(source), "--readme"]) == 0
    sentence = f"Incomplete: {len(results.runs)} of 1000 planned runs were done."
    assert sentence in capsys.readouterr().err
    for file in ("README.md", "docs/benchmarks.md"):
        text = (published / file).read_text()
        assert sentence in text
        assert "commit 0123456789 and changes that are not in it" in text


def _unmade(monkeypatch: pytest.MonkeyPatch, make: Callable[[Peer], None]) -> None:
    monkeypatch.setattr("benchmarks.environments.is_current", lambda peer: peer.name != "saq")
    monkeypatch.setattr("benchmarks.environments.make", make)


def test_only_a_peer_that_is_being_set_up_is_announced(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made: list[str] = []

    def make(peer: Peer) -> None:
        assert capsys.readouterr().out.endswith(f"setting up {peer.name}\n")
        made.append(peer.name)

    _unmade(monkeypatch, make)
    assert main(["setup", "--peers", "vqueue", "saq"]) == 0
    assert made == ["saq"]


@pytest.mark.parametrize("command", [["setup"], ["run", "--scenarios", "add-one"]])
def test_an_installer_that_fails_is_named_with_the_next_step(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def make(_: Peer) -> None:
        raise CalledProcessError(7, ["pip", "install", "a b"])

    _unmade(monkeypatch, make)
    assert main([*command, "--peers", "saq"]) == 1
    told = capsys.readouterr()
    assert told.out == "setting up saq\n"
    assert "`pip install 'a b'` ended with 7" in told.err
    assert "python -m benchmarks setup --peers saq" in told.err
