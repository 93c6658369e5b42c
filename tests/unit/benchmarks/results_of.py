"""Results made by hand."""

from collections.abc import Mapping, Sequence

from benchmarks.results import Results, Run

MACHINE = {
    "date": "2026-11-25T17:00:00+00:00",
    "command": ["python", "-m", "benchmarks", "run"],
    "commit": "0123456789abcdef",
    "cpu": "A CPU",
    "cores": 2,
    "system": "Debian",
    "redis": "valkey 9.1.2",
    "placement": {"redis_core": 0, "client_core": 1, "cores_of_many_processes": [1]},
}


def results_of(
    figures: Mapping[tuple[str, str], Sequence[float]], *, figure: str = "jobs_per_s"
) -> Results:
    """(scenario, contender) → the value of `figure` in each repeat."""
    runs = [
        Run(scenario=scenario, contender=contender, repeat=repeat, figures={figure: value})
        for (scenario, contender), values in figures.items()
        for repeat, value in enumerate(values)
    ]
    return Results(machine=dict(MACHINE), quick=False, runs=runs)
