"""What a scenario is."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from benchmarks.bench import Bench, Figures


@dataclass(frozen=True, kw_only=True, slots=True)
class Scenario:
    """One thing to measure, with any peer that can do it."""

    name: str
    #: One line for the report: what is done, and what the first figure is.
    title: str
    #: The figure that tables and plots show; a name that `measure` gives.
    headline: str
    measure: Callable[[Bench], Awaitable[Figures]]
    #: Whether more of the headline is better.
    more_is_better: bool = True
    #: Redis writes its append-only file, fsync every second.
    aof: bool = False
    #: A MongoDB is needed, too.
    mongo: bool = False
    #: Client cores without which it says no more than with fewer processes.
    client_cores: int = 1
    #: Peers that it is for; None for all.
    only: frozenset[str] | None = None
    #: Part of `--quick`, and for which peers then (None: all that run).
    quick: bool = True
    quick_only: frozenset[str] | None = None
    #: How often it is measured at most with `--quick`: figures that hardly vary, long runs.
    quick_repeats: int | None = None
    #: Seconds after which a run is given up.
    limit_s: float = 120.0

    def is_for(self, peer: str, *, quick: bool) -> bool:
        """Whether this peer is measured with it."""
        if quick and not self.quick:
            return False
        chosen = self.quick_only if quick and self.quick_only is not None else self.only
        return chosen is None or peer in chosen
