"""Writes docs/benchmarks.md, its plots, and the README's block from one result file."""

from pathlib import Path

from benchmarks.peers.catalogue import ROOT
from benchmarks.report.choice import lacking
from benchmarks.report.plots import scenario_chart
from benchmarks.report.tables import (
    COSTS,
    EMPTY_CELLS,
    EMPTY_SHARES,
    LATENCY,
    MEMORY,
    figure_table,
    guarantee_table,
    headline_table,
    limit_table,
    short_guarantee_table,
    target_table,
)
from benchmarks.results import Results
from benchmarks.scenarios import SCENARIOS
from benchmarks.targets import BEST_SLOTS, OURS, best_slots, judge

PAGE = ROOT / "docs" / "benchmarks.md"
PLOTS = ROOT / "docs" / "benchmarks"
README = ROOT / "README.md"

BEGIN, END = "<!-- benchmarks:begin -->", "<!-- benchmarks:end -->"


class NoMarkers(Exception):
    """The README has no place for the block."""


def write_page(results: Results, source: Path) -> list[Path]:
    """Write the part of docs/benchmarks.md between the markers, and the plots; gives the files.

    What stands around the markers is written by hand and stays. Safe to repeat.
    """
    PLOTS.mkdir(exist_ok=True)
    written = [PAGE]
    charts = []
    for scenario in results.scenarios:
        chart = scenario_chart(results, scenario)
        if chart is not None:
            path = PLOTS / f"{scenario}.svg"
            path.write_text(chart)
            written.append(path)
            charts.append(f"![{scenario}](benchmarks/{path.name})")
    replace_block(PAGE, _page(results, source, charts))
    return written


def write_readme(results: Results, source: Path) -> None:
    """Rewrite the README's block; its plots are those of `write_page`.

    Safe to repeat; raises NoMarkers without a block.
    """
    short = _short(results)
    sections = [_origin(results, source), headlines(short), short_guarantee_table(short)]
    sections += [
        f"![{SCENARIOS[scenario].title}](docs/benchmarks/{scenario}.svg)"
        for scenario in (best_slots(results, OURS), "latency-idle")
        if scenario in results.scenarios and scenario_chart(results, scenario) is not None
    ]
    replace_block(README, "\n\n".join(sections))


def replace_block(path: Path, text: str) -> None:
    """Put `text` between the markers of a file; raises NoMarkers when they are not there once."""
    before, begin, rest = path.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise NoMarkers(f"{path} has no place for the block: put {BEGIN} and {END} where it goes")
    path.write_text(f"{before}{BEGIN}\n{text.strip()}\n{END}{after}")


def _page(results: Results, source: Path, charts: list[str]) -> str:
    sections = [
        _origin(results, source),
        "## Targets\n\n" + target_table(judge(results)),
        "## All scenarios\n\n" + headlines(results),
        "## What each promises at its speed\n\n" + guarantee_table(results),
    ]
    details = (
        ("add-bulk", COSTS),
        (best_slots(results, OURS), COSTS),
        ("memory", MEMORY),
        ("latency-idle", LATENCY),
        ("latency-loaded", LATENCY),
    )
    sections += [
        f"## {SCENARIOS[scenario].title}\n\n{figure_table(results, scenario, columns)}"
        for scenario, columns in details
        if scenario in results.scenarios
    ]
    if share := limit_table(results):
        sections.append(f"## Share of the physical limit\n\n{share}\n\n{EMPTY_SHARES}")
    return "\n\n".join([*sections, *charts])


def _origin(results: Results, source: Path) -> str:
    machine = results.machine
    placement = machine["placement"]
    changed = " and changes that are not in it" if machine.get("uncommitted") else ""
    return (
        f"Measured {machine['date'][:10]} at commit {machine['commit'][:10]}{changed} "
        f"on {machine['cpu']}, "
        f"{machine['cores']} cores, {machine['system']}, {machine['redis']}; Redis on core "
        f"{placement['redis_core']}, clients on core {placement['client_core']}. Medians of the "
        f"repeats (lowest–highest). Raw data: benchmarks/results/{source.name}, made by "  # noqa: RUF001
        f"`{' '.join(machine['command'])}`. {lacking(results)}"
    ).rstrip()


def headlines(results: Results) -> str:
    """The headline table, and under it what its signs stand for."""
    notes = [EMPTY_CELLS]
    notes += [
        f"† {label}: {run.scenario}, repeat {run.repeat}: {run.not_exactly_once}"
        for label, runs in results.inexact().items()
        for run in runs
    ]
    return f"{headline_table(results)}\n\n" + "  \n".join(notes)


def _short(results: Results) -> Results:
    """What a README has room for: adding, the best slots, latency and memory."""
    wanted = {"add-one", "add-concurrent", "add-bulk", "latency-idle", "memory"}
    wanted.add(best_slots(results, OURS) or BEST_SLOTS)
    return Results(
        machine=results.machine,
        quick=results.quick,
        guarantees=results.guarantees,
        runs=[run for run in results.runs if run.scenario in wanted],
    )
