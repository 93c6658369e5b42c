"""Who waits where in the model, and who is next."""

from collections import Counter
from collections.abc import Sequence
from itertools import count

from tests.conformance.model.job import ModelJob
from tests.conformance.model.limits import Limits
from vqueue.record import TakenJob

#: Within one priority the front of the line goes before LIFO jobs, and they before the others.
FRONT, LIFO, BACK = 0, 1, 2
#: Delayed jobs that a take promotes at most.
_PROMOTED = 60


class Lines:
    """Jobs by id, in their places."""

    def __init__(self) -> None:
        self.jobs: dict[str, ModelJob] = {}
        #: Ids of removed jobs, which no add brings back.
        self.gone: set[str] = set()
        #: Activations that are over, with their workers.
        self.past: list[tuple[TakenJob, str]] = []
        #: Job id → the activation that was the last to end by its own worker.
        self.ended_by: dict[str, tuple[bytes, str]] = {}
        #: Ids of jobs that were removed by hand → the events of that life.
        self.former: dict[str, list[str]] = {}
        self.limits = Limits()
        self.paused_groups: set[str] = set()
        #: Group → how many of its jobs may run at the same time.
        self.group_concurrency: dict[str, int] = {}
        self._order = count(1)

    def in_state(self, *states: str) -> list[ModelJob]:
        """The jobs in some states, by id."""
        return sorted(
            (job for job in self.jobs.values() if job.state in states), key=lambda job: job.id
        )

    @property
    def all_jobs(self) -> list[ModelJob]:
        """Every job there is, by id."""
        return sorted(self.jobs.values(), key=lambda job: job.id)

    @property
    def idle(self) -> list[ModelJob]:
        """The jobs that no worker holds, by id."""
        return self.in_state("waiting", "delayed", "waiting-children", "completed", "failed")

    def held_by(self, consumer: str) -> list[ModelJob]:
        """The active jobs of a consumer, by id."""
        return [job for job in self.in_state("active") if job.holder == consumer]

    @property
    def line(self) -> list[ModelJob]:
        """The waiting jobs that are in no group, the next one first."""
        jobs = (job for job in self.in_state("waiting") if not job.group)
        return sorted(jobs, key=lambda job: job.place)

    @property
    def delayed_line(self) -> list[ModelJob]:
        """The delayed jobs, the one that is due first before the others."""
        return sorted(self.in_state("delayed"), key=lambda job: job.due)

    def group_line(self, group: str) -> list[ModelJob]:
        """The waiting jobs of a group, the next one first."""
        jobs = (job for job in self.in_state("waiting") if job.group == group)
        return sorted(jobs, key=lambda job: job.place)

    # -- places ------------------------------------------------------------------------

    def to(self, job: ModelJob, lane: int, *, grows_backwards: bool) -> None:
        """Into a lane of its priority, before or behind the jobs that are there."""
        number = next(self._order)
        if lane == LIFO and job.group:
            lane = FRONT
        job.state, job.due = "waiting", None
        job.place = (job.priority, lane, -number if grows_backwards else number)
        job.events.append("waiting")

    def to_back(self, job: ModelJob) -> None:
        """Behind the jobs of its priority."""
        self.to(job, BACK, grows_backwards=False)

    def to_front(self, job: ModelJob) -> None:
        """Before the jobs of its priority."""
        self.to(job, FRONT, grows_backwards=True)

    def postpone(self, job: ModelJob, delay_ms: int) -> None:
        """Until `pass_time` says that its time has come."""
        job.state, job.due = "delayed", (True, delay_ms, next(self._order))
        job.events.append("delayed")

    def pass_time(self, count: int) -> list[ModelJob]:
        """The time of the next `count` delayed jobs comes; return them."""
        jobs = [job for job in self.delayed_line if job.due[0]][:count]
        for job in jobs:
            job.due = (False, *job.due[1:])
        return jobs

    def promote_due(self) -> None:
        """The jobs whose time has come go into the line, the first so many of them."""
        for job in self.delayed_line[:_PROMOTED]:
            if not job.due[0]:
                self.come_due(job)

    def come_due(self, job: ModelJob) -> None:
        """A delayed job goes into the line, or waits for the children that it was given."""
        if job.family.unprocessed:
            self.wait_for_children(job)
        else:
            self.to_back(job)

    def wait_for_children(self, job: ModelJob) -> None:
        """A job that no worker holds waits for its children."""
        job.state = "waiting-children"
        job.events.append("waiting-children")

    def hand_out(
        self, consumer: str, want: int, handed: Sequence[str], own_max: int | None
    ) -> list[ModelJob]:
        """Hand out the first of the line, then jobs of groups.

        `handed` are the ids that the queue has handed out: which groups had their turn is
        its own affair.
        """
        active = len(self.in_state("active"))
        want = self.limits.admit(want, active=active, own_max=own_max)
        taken = self.line[:want]
        of_groups = [job for job in map(self.jobs.__getitem__, handed) if job.group]
        taken += self._turns(of_groups, want - len(taken))
        for job in taken:
            job.state, job.holder = "active", consumer
            job.events.append("active")
        self.limits.count(len(taken), own_max=own_max)
        return taken

    def _turns(self, handed: Sequence[ModelJob], want: int) -> list[ModelJob]:
        """Judge the jobs of groups: all there is room for, each the first of its line."""
        running = Counter(job.group for job in self.in_state("active"))
        lines: dict[str, list[ModelJob]] = {}
        for group in {job.group for job in self.in_state("waiting") if job.group}:
            most = self.group_concurrency.get(group)
            room = None if most is None else max(0, most - running[group])
            lines[group] = [] if group in self.paused_groups else self.group_line(group)[:room]
        assert len(handed) == min(want, sum(map(len, lines.values())))
        for job in handed:
            assert lines[job.group].pop(0) is job
        return list(handed)
