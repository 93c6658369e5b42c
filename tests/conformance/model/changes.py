"""What producers and operators do to jobs, in the model."""

from tests.conformance.model.endings import Endings
from tests.conformance.model.job import ModelJob
from tests.conformance.model.lines import BACK, FRONT, LIFO


class Changes(Endings):
    """Adding, removing and moving jobs."""

    def is_new(self, job_id: str) -> bool:
        """Tell whether an id may be added; one that is there is a duplicate."""
        if known := self.jobs.get(job_id):
            known.events.append("duplicated")
        return not known and job_id not in self.gone

    def make(self, job_id: str, *, place: str = "0", group: str = "") -> ModelJob:
        """A new job, which is in no place yet."""
        job = ModelJob(id=job_id, priority=0 if place == "lifo" else int(place), group=group)
        self.jobs[job_id] = job
        job.events = [*self.former.pop(job_id, []), "added"]
        return job

    def add(self, job_id: str, *, place: str, is_delayed: bool, group: str = "") -> bool:
        """Add a job; False for an id that is, or was, there."""
        if not self.is_new(job_id):
            return False
        job = self.make(job_id, place=place, group=group)
        if is_delayed:
            self.postpone(job)
        elif place == "lifo":
            self.to(job, LIFO, grows_backwards=True)
        else:
            self.to_back(job)
        return True

    def make_parent(self, job_id: str, *, place: str) -> None:
        """A new job that waits for its children."""
        job = self.make(job_id, place=place)
        job.state = "waiting-children"
        job.events.append("waiting-children")

    def add_unique(
        self, job_id: str, unique: str, *, is_delayed: bool, replaces: bool
    ) -> int | str:
        """Add a job with a deduplication id; 1, 0, or the id of the job that stands for it."""
        if not self.is_new(job_id):
            return 0
        owner = self.jobs.get(self.owners.get(unique, ""))
        if owner and not (replaces and owner.state == "delayed"):
            owner.events.append("deduplicated")
            return owner.id
        if owner:
            self.remove_by_hand(owner)
        self.add(job_id, place="0", is_delayed=is_delayed)
        self.jobs[job_id].unique = unique
        self.owners[unique] = job_id
        if owner:
            self.jobs[job_id].events.append("deduplicated")
        return 1

    def remove(self, job: ModelJob) -> None:
        """Forget a job; its id stays refused."""
        del self.jobs[job.id]
        self.gone.add(job.id)

    def remove_by_hand(self, job: ModelJob) -> None:
        """Forget a job; its id may be added again."""
        del self.jobs[job.id]
        self.ended_by.pop(job.id, None)
        self.former[job.id] = [*job.events, "removed"]
        if self.owners.get(job.unique) == job.id:
            del self.owners[job.unique]
        self.note(job, "gone")
        self.tell_parents()

    def change_priority(self, job: ModelJob, priority: int, *, lifo: bool) -> None:
        """Behind its new equals, or before them; a delayed job gets its place when it is due."""
        job.priority = priority
        if job.state == "waiting":
            lane = BACK if not lifo else FRONT if priority else LIFO
            self.to(job, lane, grows_backwards=lifo)
            job.events.pop()  # it did not move to another state
        job.events.append("changed")

    def retry(self, job: ModelJob, *, made: bool, started: bool) -> None:
        """Run an ended job again."""
        job.value = b""
        if made:
            job.made = 0
        if started:
            job.begun, job.stalls = job.made, 0
        for parent_id in job.family.parents:
            parent = self.jobs.get(parent_id)
            if parent and parent.state in ("waiting-children", "failed"):
                parent.family.wait_again_for(job.id)
        job.family.forgive()
        if job.family.unprocessed:
            job.state = "waiting-children"
            job.events.append("waiting-children")
        else:
            self.to_back(job)

    def keep_newest(self, count: int) -> None:
        """Remove the completed jobs that were the first to end."""
        completed = sorted(self.in_state("completed"), key=lambda job: (job.ended_ms, job.id))
        for job in completed[: max(0, len(completed) - count)]:
            self.remove(job)
