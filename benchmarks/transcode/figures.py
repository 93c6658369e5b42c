"""The figures of a run beside their bounds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.spread import Spread
from benchmarks.transcode.cost import Cost
from benchmarks.transcode.memory import Sample, growth
from benchmarks.transcode.ways import Outcome

#: The outcomes of one round, by the name of the way.
Round = Mapping[str, Outcome]

_FEWEST_SAMPLES = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """One figure; its median is judged."""

    name: str
    #: None for a figure that is only told.
    bound: float | None = None
    #: Whether `bound` is the most that is good; else the least.
    at_most: bool = True
    #: None when the time was over before it was measured.
    found: Spread | None

    @property
    def kept(self) -> bool:
        """Whether the bound is kept; always, when there is none."""
        if self.bound is None:
            return True
        if self.found is None:
            return False
        median = self.found.median
        return median <= self.bound if self.at_most else median >= self.bound


def figures_of(rounds: Sequence[Round], samples: Sequence[Sample]) -> list[Figure]:
    """Judge what was measured; pure."""
    whole = [one["whole"].cost for one in rounds]
    bare = [one["bare"].cost for one in rounds]
    separate = [one["separate"].cost for one in rounds]
    pairs = list(zip(whole, bare, separate, strict=True))
    grown = [growth(samples)] if len(samples) >= _FEWEST_SAMPLES else []
    return [
        Figure(
            name="whole job ÷ bare FFmpeg command, wall time",
            bound=1.05,
            at_most=True,
            found=_spread([job.wall_s / command.wall_s for job, command, _ in pairs]),
        ),
        Figure(
            name="whole job ÷ bare FFmpeg command, CPU time",
            found=_spread([_cpu_s(job) / _cpu_s(command) for job, command, _ in pairs]),
        ),
        Figure(
            name="CPU of the worker ÷ CPU of FFmpeg, in a whole job",
            bound=0.03,
            at_most=True,
            found=_spread([job.own_cpu_s / job.children_cpu_s for job in whole]),
        ),
        Figure(
            name="a run for each rung ÷ bare FFmpeg command, wall time",
            bound=1.4,
            at_most=False,
            found=_spread([runs.wall_s / command.wall_s for _, command, runs in pairs]),
        ),
        Figure(
            name="a run for each rung ÷ bare FFmpeg command, CPU time",
            found=_spread([_cpu_s(runs) / _cpu_s(command) for _, command, runs in pairs]),
        ),
        Figure(
            name="worker's memory in MB",
            found=_spread([sample.rss_mb for sample in samples]),
        ),
        Figure(
            name="worker's memory, last third of jobs ÷ second third",
            bound=1.03,
            at_most=True,
            found=_spread(grown),
        ),
    ]


def table(figures: Sequence[Figure]) -> str:
    """Return the figures as a Markdown table; pure."""
    lines = ["| figure | bound | median (lowest to highest) | |", "|---|---:|---:|---|"]
    for figure in figures:
        bound = verdict = ""
        if figure.bound is not None:
            bound = f"{'≤' if figure.at_most else '≥'} {figure.bound:g}"
            verdict = "kept" if figure.kept else "missed"
        found = "not measured"
        if figure.found is not None:
            low, high = f"{figure.found.low:.3f}", f"{figure.found.high:.3f}"
            found = f"{figure.found.median:.3f} ({low} to {high})"
        lines.append(f"| {figure.name} | {bound} | {found} | {verdict} |")
    return "\n".join(lines)


def _cpu_s(cost: Cost) -> float:
    return cost.children_cpu_s + cost.own_cpu_s


def _spread(values: Sequence[float]) -> Spread | None:
    return Spread.of(values) if values else None
