"""What keeps the jobs of a queue from being taken, in the model."""

from dataclasses import dataclass


@dataclass(kw_only=True, slots=True)
class Limits:
    """Pause, global concurrency and rate limit; their time is what the rules say."""

    is_paused: bool = False
    concurrency: int | None = None
    #: Jobs that may start in a window.
    max_jobs: int | None = None
    #: Jobs that the window has let in; None when there is none.
    used: int | None = None
    #: Whether no job starts for a while.
    is_held: bool = False

    def admit(self, want: int, *, active: int, own_max: int | None) -> int:
        """How many jobs may be taken; `own_max` is the worker's limit, where the queue has none."""
        if self.is_paused or self.is_held:
            return 0
        if self.concurrency is not None:
            want = min(want, self.concurrency - active)
        if max_jobs := self._max(own_max):
            want = min(want, max_jobs - (self.used or 0))
        return max(0, want)

    def count(self, taken: int, *, own_max: int | None) -> None:
        """Jobs were taken: where a limit holds, the window counts them, or begins with them."""
        if taken and self._max(own_max):
            self.used = (self.used or 0) + taken

    def _max(self, own_max: int | None) -> int | None:
        return self.max_jobs if self.max_jobs is not None else own_max

    def forget_rate(self) -> None:
        """Neither is anything held, nor has the window let in any job."""
        self.is_held, self.used = False, None
