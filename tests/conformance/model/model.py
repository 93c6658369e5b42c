"""A queue in plain Python: what the scripts must do, without how they do it."""

from collections.abc import Sequence

from tests.conformance.model.job import ModelJob
from tests.conformance.model.schedulers import Schedulers


class QueueModel(Schedulers):
    """Everything together."""

    def take(
        self, consumer: str, want: int, handed: Sequence[str], own_max: int | None = None
    ) -> list[ModelJob]:
        """Promote what is due, make the jobs of due slots, then hand out the first of the line.

        `own_max` is the worker's own rate limit.
        """
        self.promote_due()
        self.fire_due()
        return self.hand_out(consumer, want, handed, own_max)

    def emptied(self) -> "QueueModel":
        """A queue of which only its workers remember something."""
        empty = QueueModel()
        empty.past = self.past + [
            (job.taken, job.holder) for job in self.in_state("active") if job.taken
        ]
        return empty
