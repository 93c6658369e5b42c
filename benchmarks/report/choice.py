"""Which results are fit to be published, and what another one lacks."""

from pathlib import Path

from benchmarks.peers.catalogue import REFERENCE
from benchmarks.results import FOLDER, NotAResult, Results, load
from benchmarks.scenarios import SCENARIOS
from benchmarks.targets import OURS


def lacking(results: Results) -> str:
    """What a result lacks to be published unasked, as one sentence; empty when nothing."""
    found = []
    if results.planned and len(results.runs) < results.planned:
        found.append(f"{len(results.runs)} of {results.planned} planned runs were done")
    for what, wanted, there in (
        ("scenarios", _scenarios(results), results.scenarios),
        ("queues", [OURS, REFERENCE], results.contenders),
    ):
        if missing := [name for name in wanted if name not in there]:
            found.append(f"{what} left out: {', '.join(missing)}")
    if found:
        return f"Incomplete: {'; '.join(found)}."
    if not results.planned:
        return "Not known to be complete: how many runs were planned is not recorded."
    return ""


def newest_complete(folder: Path = FOLDER) -> Path:
    """The last result of a folder that lacks nothing; raises NotAResult when there is none."""
    refused = []
    for path in sorted(folder.glob("*.json"), reverse=True):
        try:
            lacks = lacking(load(path))
        except NotAResult as error:
            lacks = str(error)
        if not lacks:
            return path
        refused.append(f"\n  {path.name}: {lacks}")
    raise NotAResult(
        f"no complete result in {folder}: run `python -m benchmarks run` (or `run --quick`) to its "
        f"end with all scenarios, or name a file to report it as it is{''.join(refused)}"
    )


def _scenarios(results: Results) -> list[str]:
    return [
        scenario.name
        for scenario in SCENARIOS.values()
        if scenario.is_for(OURS, quick=results.quick)
        and scenario.client_cores <= len(results.machine["placement"]["cores_of_many_processes"])
    ]
