"""How jobs enter the model, and which of them stand for others."""

from dataclasses import dataclass

from tests.conformance.model.job import Asked, ModelJob
from tests.conformance.model.lines import LIFO, Lines


@dataclass(kw_only=True, slots=True)
class Owner:
    """The job that stands for all that are added with its deduplication id."""

    job_id: str
    #: What is left of its time: all, half, or "" for one that stands until it has ended.
    time_left: str


class Entering(Lines):
    """New jobs."""

    def __init__(self) -> None:
        super().__init__()
        #: By deduplication id.
        self.owners: dict[str, Owner] = {}
        #: Deduplication id → the last job that was kept aside while its owner ran.
        self.followers: dict[str, tuple[str, Asked]] = {}

    def is_new(self, job_id: str) -> bool:
        """Tell whether an id may be added; one that is there is a duplicate."""
        if known := self.jobs.get(job_id):
            known.events.append("duplicated")
        return not known and job_id not in self.gone

    def make(self, job_id: str, asked: Asked) -> ModelJob:
        """A new job, which is in no place yet."""
        options = asked.options
        job = ModelJob(
            id=job_id,
            data=asked.data,
            options=options.encoded,
            priority=options.priority,
            max_stalled=options.max_stalled,
            group=asked.group,
            unique=options.deduplication.id if options.deduplication else "",
        )
        job.family.policy = options.wire.get("on_child_failure", "fail")
        self.jobs[job_id] = job
        job.events = [*self.former.pop(job_id, []), "added"]
        return job

    def enter(self, job_id: str, asked: Asked) -> None:
        """A new job goes to its place."""
        job = self.make(job_id, asked)
        if delay_ms := asked.options.settings[0]:
            self.postpone(job, delay_ms)
        elif asked.options.lifo:
            self.to(job, LIFO, grows_backwards=True)
        else:
            self.to_back(job)

    def add(self, job_id: str, asked: Asked) -> bool:
        """Add a job; False for an id that is, or was, there."""
        if not self.is_new(job_id):
            return False
        self.enter(job_id, asked)
        return True

    def own(self, job_id: str, asked: Asked) -> None:
        """From now on a job stands for those with its deduplication id."""
        dedup = asked.options.deduplication
        assert dedup
        self.owners[dedup.id] = Owner(job_id=job_id, time_left="all" if dedup.ttl else "")

    def disown(self, job: ModelJob) -> None:
        """A job is removed, and stands for nobody any more."""
        owner = self.owners.get(job.unique)
        if owner and owner.job_id == job.id:
            del self.owners[job.unique]
            self.followers.pop(job.unique, None)

    def release_owner(self, job: ModelJob, *, is_removed: bool = False) -> None:
        """A job has ended, or is removed: if it stood for others until then, the last enters."""
        owner = self.owners.get(job.unique)
        if not owner or owner.job_id != job.id or (owner.time_left and not is_removed):
            return
        follower = self.followers.get(job.unique)
        self.disown(job)
        if follower:
            self.own(*follower)
            self.enter(*follower)
