"""Did every job run, and none twice? Asked after each run, of what the handlers counted."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Tally:
    """How a run's jobs were done, over all of its workers."""

    expected: int
    #: Runs beyond a job's first one.
    duplicates: int
    #: Jobs that no worker saw.
    lost: int
    #: Runs of jobs that nobody had added.
    unknown: int

    @property
    def is_exact(self) -> bool:
        """Every job once, nothing else."""
        return not (self.duplicates or self.lost or self.unknown)

    def describe(self) -> str:
        """What is wrong, in words; empty when nothing is."""
        parts = {"lost": self.lost, "run again": self.duplicates, "unknown": self.unknown}
        found = ", ".join(f"{count} {what}" for what, count in parts.items() if count)
        return f"of {self.expected} jobs: {found}" if found else ""


def tally(ledgers: Sequence[dict[str, Any]], *, partly: bool = False) -> Tally:
    """Add up the ledgers (`Ledger.figures`) of the workers of one run.

    They must expect the same jobs. `partly`: the workers were stopped before the end, so jobs
    that they did not see are not lost.
    """
    counts = [base64.b64decode(ledger["counts"]) for ledger in ledgers]
    runs = [sum(of_job) for of_job in zip(*counts, strict=True)]
    return Tally(
        expected=len(runs),
        duplicates=sum(count - 1 for count in runs if count > 1),
        lost=0 if partly else runs.count(0),
        unknown=sum(ledger["unknown"] for ledger in ledgers),
    )
