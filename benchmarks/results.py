"""Result files: every repeat of every run, with the machine that made them.

results/20261125T171500Z.json    Results.to_json; the newest name is the newest run
"""

import json
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.spread import Spread

FOLDER = Path(__file__).resolve().parent / "results"

#: Of the shape of a file; a reader refuses others.
FORMAT = 1


class NotAResult(Exception):
    """The file is none of ours, or of another format."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One run: a scenario, a contender, a repeat."""

    scenario: str
    contender: str
    #: From 0; runs of one repeat are neighbours in time, so ratios are taken within it.
    repeat: int
    #: Empty when the run failed or the adapter does not measure it.
    figures: dict[str, float] = field(default_factory=dict)
    #: Why there are no figures.
    failure: str | None = None
    #: Whether the adapter has no such call: the queue has none, or none that fits.
    unsupported: bool = False
    #: What was wrong with "every job exactly once"; None when it was not asked, or all was well.
    not_exactly_once: str | None = None
    wall_s: float = 0.0


@dataclass(kw_only=True, slots=True)
class Results:
    """What one `python -m benchmarks run` found."""

    machine: dict[str, Any]
    quick: bool
    #: How many runs were to be done: more than `runs` when it was interrupted, 0 in files that do
    #: not say.
    planned: int = 0
    runs: list[Run] = field(default_factory=list)
    #: Contender → package → version.
    versions: dict[str, dict[str, str]] = field(default_factory=dict)
    #: Contender → what it promises at the speed measured.
    guarantees: dict[str, str] = field(default_factory=dict)

    @property
    def contenders(self) -> list[str]:
        """In the order of their first run."""
        return list(dict.fromkeys(run.contender for run in self.runs))

    @property
    def scenarios(self) -> list[str]:
        """In the order of their first run."""
        return list(dict.fromkeys(run.scenario for run in self.runs))

    def by_repeat(self, scenario: str, contender: str, figure: str) -> dict[int, float]:
        """The values of one figure by the number of the repeat; failed runs are absent."""
        return {
            run.repeat: run.figures[figure]
            for run in self.runs
            if run.scenario == scenario and run.contender == contender and figure in run.figures
        }

    def spread(self, scenario: str, contender: str, figure: str) -> Spread | None:
        """Median, lowest and highest of a figure; None when no run gave it."""
        values = list(self.by_repeat(scenario, contender, figure).values())
        return Spread.of(values) if values else None

    def failures(self) -> list[Run]:
        """Runs that ought to have given figures and did not."""
        return [run for run in self.runs if run.failure and not run.unsupported]

    def inexact(self) -> dict[str, list[Run]]:
        """Runs in which a job was lost or done again, by contender."""
        found: dict[str, list[Run]] = defaultdict(list)
        for run in self.runs:
            if run.not_exactly_once:
                found[run.contender].append(run)
        return dict(found)

    def to_json(self) -> str:
        """The text of a result file."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str, *, name: str) -> "Results":
        """Read what `to_json` wrote; raises NotAResult, naming the file."""
        try:
            content = json.loads(text)
            found = content.pop("format")
            if found != FORMAT:
                raise NotAResult(f"{name} has format {found!r}, and this code reads {FORMAT}")
            runs = [Run(**run) for run in content.pop("runs")]
            return cls(runs=runs, **content)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise NotAResult(
                f"{name} is no result of `python -m benchmarks run`: {error}"
            ) from None


def load(path: Path) -> Results:
    """Read a result file; raises NotAResult, OSError."""
    return Results.from_json(path.read_text(), name=str(path))
