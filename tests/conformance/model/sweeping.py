"""The sweep, really and in the model: what the rules share."""

from collections.abc import Iterator, Sequence

from tests.conformance.model.job import ModelJob
from tests.conformance.model.machine import QueueFrame
from tests.support.driver import KEEP_ALL

#: Stalled jobs of one call.
_SWEPT = 100


def _by_calls(jobs: Sequence[ModelJob]) -> Iterator[list[ModelJob]]:
    """Stalled jobs by the call that finds them: those of the plain lane come first, each lane by
    its entries. Within a call those that were put first in line go before the others again."""

    def position(job: ModelJob) -> tuple[bool, int, int]:
        assert job.taken
        ms, seq = job.taken.token.removeprefix(b"x").split(b"-")
        return job.taken.token.startswith(b"x"), int(ms), int(seq)

    found = sorted(jobs, key=position)
    for start in range(0, len(found), _SWEPT):
        call = found[start : start + _SWEPT]
        yield sorted(call, key=lambda job: not position(job)[0])


class Sweeping(QueueFrame):
    """Jobs that have lost their workers are found."""

    def sweep_as_the_model_says(
        self, jobs: Sequence[ModelJob], *, max_stalled: int, dead: str = ""
    ) -> None:
        """Sweep until all is looked at: these jobs have lost their worker, and no others."""
        stalled = [self.model.stall(call, limit=max_stalled) for call in _by_calls(jobs)]
        sweep = self.driver.scripts.sweep_all(
            max_stalled=max_stalled, keep=KEEP_ALL, dead_consumer=dead
        )
        swept = self.run(sweep)
        assert swept.recovered == sum(recovered for recovered, _ in stalled)
        assert swept.failed == sum(failed for _, failed in stalled)
        assert not swept.needs_repair
