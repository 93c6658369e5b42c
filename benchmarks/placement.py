"""Which core runs what: the same for every peer, and written into the results."""

import os
from dataclasses import dataclass


class TooFewCores(Exception):
    """Server and clients would share a core: the figures would say nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """Redis on a core of its own; one client core for all single-process scenarios."""

    redis: int
    client: int
    #: Where N worker processes run.
    all_clients: tuple[int, ...]

    @classmethod
    def of_this_machine(cls) -> "Placement":
        """The lowest core that we may use is Redis's, the next one the client's.

        Raises TooFewCores when there is only one.
        """
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) < 2:
            raise TooFewCores(
                f"this process may use core {cores[0]} only, and Redis and its clients need one "
                "each: run the benchmarks on a machine with two cores or more"
            )
        return cls(redis=cores[0], client=cores[1], all_clients=tuple(cores[1:]))


def pinned(argv: list[str], cores: tuple[int, ...]) -> list[str]:
    """The argv that runs `argv` on these cores only."""
    return ["taskset", "--cpu-list", ",".join(map(str, cores)), *argv]
