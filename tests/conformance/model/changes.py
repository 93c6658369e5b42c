"""What producers and operators do to jobs, in the model."""

from tests.conformance.model.endings import Endings
from tests.conformance.model.job import Asked, ModelJob
from tests.conformance.model.lines import BACK, FRONT, LIFO

#: Jobs that retention removes in one call.
_EVICTED = 250


class Changes(Endings):
    """Adding for others, removing and moving jobs."""

    def make_parent(self, job_id: str, asked: Asked) -> None:
        """A new job that waits for its children."""
        job = self.make(job_id, asked)
        job.state = "waiting-children"
        job.events.append("waiting-children")

    def add_unique(self, job_id: str, asked: Asked) -> int | str:
        """Add a job with a deduplication; 1, 0, or the id of the job that stands for it."""
        dedup = asked.options.deduplication
        assert dedup
        if not self.is_new(job_id):
            return 0
        owner = self.owners.get(dedup.id)
        if not owner:
            self.own(job_id, asked)
            self.enter(job_id, asked)
            return 1
        standing = self.jobs.get(owner.job_id)
        if dedup.replace and standing and standing.state == "delayed":
            self.followers.pop(dedup.id, None)
            self._forget(standing)
            self.own(job_id, asked)
            if dedup.ttl and not dedup.extend:
                self.owners[dedup.id].time_left = owner.time_left
            self.enter(job_id, asked)
            self.jobs[job_id].events.append("deduplicated")
            self.tell_parents()
            return 1
        if dedup.extend:
            owner.time_left = "all"
        if dedup.keep_last_if_active and standing and standing.has_started:
            self.followers[dedup.id] = (job_id, asked)
        if standing:
            standing.events.append("deduplicated")
        return owner.job_id

    def remove(self, job: ModelJob) -> None:
        """Forget a job; its id stays refused."""
        del self.jobs[job.id]
        self.gone.add(job.id)

    def remove_by_hand(self, *jobs: ModelJob) -> None:
        """Forget jobs; their ids may be added again."""
        for job in jobs:
            self._forget(job)
        self.tell_parents()

    def _forget(self, job: ModelJob) -> None:
        del self.jobs[job.id]
        self.ended_by.pop(job.id, None)
        self.former[job.id] = [*job.events, "removed"]
        if job.has_ended:
            self.disown(job)
        else:
            self.release_owner(job, is_removed=True)
        self.note(job, "gone")

    def clean(self, state: str, *, most: int, before_ms: int | None = None) -> list[str]:
        """Remove those of the first jobs of a state that ended until then; return their ids.

        The job of a scheduler stays until it has ended.
        """
        jobs = [
            job
            for job in self.page(state)[:most]
            if job.has_ended or not job.scheduler
            if before_ms is None or job.ended_ms <= before_ms
        ]
        self.remove_by_hand(*jobs)
        return [job.id for job in jobs]

    def page(self, state: str) -> list[ModelJob]:
        """The jobs of a state, the next one first; those of groups behind the others."""
        if state == "delayed":
            return self.delayed_line
        if state in ("waiting", "prioritized"):
            lines = {group: self.group_line(group) for group in ("g1", "g2")}
            shortest_first = sorted(lines, key=lambda group: (len(lines[group]), group))
            jobs = self.line + [job for group in shortest_first for job in lines[group]]
            return [job for job in jobs if job.shown_state == state]
        return sorted(self.in_state(state), key=lambda job: (job.ended_ms, job.id))

    def update_data(self, job: ModelJob, data: bytes) -> None:
        """A job gets other data, in whatever state."""
        job.data = data
        job.events.append("changed")

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
        job.value, job.traces = b"", []
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
        """Remove completed jobs, the first to end, as many as one call removes."""
        completed = sorted(self.in_state("completed"), key=lambda job: (job.ended_ms, job.id))
        excess = max(0, len(completed) - count)
        for job in completed[: min(excess, _EVICTED)]:
            self.remove(job)
