"""Job schedulers in the model; their time is what `slot_comes` says."""

from dataclasses import dataclass, field

from tests.conformance.model.changes import Changes
from tests.conformance.model.job import Asked, ModelJob


@dataclass(kw_only=True, slots=True)
class ModelScheduler:
    """One scheduler with an interval."""

    timing: str
    #: Of the jobs that it makes.
    asked: Asked
    #: one, skip or all.
    missed: str
    #: Jobs that it makes, 0 for no limit.
    limit: int
    #: Slots (ms) whose time has come and that have made no job yet.
    due: list[int] = field(default_factory=list)
    count: int = 0
    #: The last job that it made.
    job: str = ""
    #: Whether its limit is reached.
    has_ended: bool = False

    @property
    def is_at_limit(self) -> bool:
        """Whether it has made all its jobs."""
        return 0 < self.limit <= self.count


class Schedulers(Changes):
    """The schedulers of a queue, by id."""

    def __init__(self) -> None:
        super().__init__()
        self.schedulers: dict[str, ModelScheduler] = {}

    def put_scheduler(self, scheduler_id: str, new: ModelScheduler) -> None:
        """Make or change a scheduler; a slot that is due in `new` is for one that starts again."""
        old = self.schedulers.get(scheduler_id)
        if old and old.timing == new.timing:
            new.due, new.count, new.has_ended = old.due, old.count, old.has_ended
            keeps_slots = True
        else:
            keeps_slots = False
        if old:
            new.job = old.job
            if self._withdraw(old.job):
                new.job = ""
                if keeps_slots:
                    new.count -= 1
                    new.due.insert(0, int(old.job.rpartition(".")[2]))
        if not new.is_at_limit:
            new.has_ended = False
        self.schedulers[scheduler_id] = new
        self._fire(scheduler_id)

    def remove_scheduler(self, scheduler_id: str) -> None:
        """Remove a scheduler, and its job if no worker has begun it."""
        self._withdraw(self.schedulers.pop(scheduler_id).job)

    def is_scheduled(self, job: ModelJob) -> bool:
        """Tell whether the scheduler that made a job exists: it stalls without limit then."""
        return job.scheduler in self.schedulers

    def fire_due(self) -> None:
        """Make the jobs of the slots whose time has come."""
        due = [(one.due[0], one_id) for one_id, one in self.schedulers.items() if one.due]
        for _, scheduler_id in sorted(due):
            self._fire(scheduler_id)

    def _stands_in_line(self, job_id: str) -> bool:
        job = self.jobs.get(job_id)
        return job is not None and job.state == "waiting" and not job.begun

    def _withdraw(self, job_id: str) -> bool:
        if not self._stands_in_line(job_id):
            return False
        self.remove_by_hand(self.jobs[job_id])
        return True

    def _fire(self, scheduler_id: str) -> None:
        one = self.schedulers[scheduler_id]
        slots = one.due if one.missed == "all" else one.due[-1:]
        one.due = []
        for slot in slots:
            if one.is_at_limit:
                break
            if one.missed == "skip" or (one.missed == "one" and self._stands_in_line(one.job)):
                continue
            job_id = f"repeat.{scheduler_id}.{slot}"
            if job_id not in self.jobs and job_id not in self.gone:
                self.enter(job_id, one.asked)
                job = self.jobs[job_id]
                job.scheduler = scheduler_id
                job.options = b'{"scheduler":"%b"}' % scheduler_id.encode()
                one.job, one.count = job_id, one.count + 1
        one.has_ended = one.has_ended or one.is_at_limit
