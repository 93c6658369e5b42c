"""How activations and jobs end in the model, and what their parents hear of it."""

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterable, Sequence

from tests.conformance.model.entering import Entering
from tests.conformance.model.job import ModelJob

STALLED = b'"job stalled more than allowable limit"'
#: Stack traces that a job keeps.
TRACES = 2


class Endings(Entering, ABC):
    """What workers do to jobs."""

    def __init__(self) -> None:
        super().__init__()
        #: Of what the parents do not know yet: parent, child, what became of it, and its result
        #: or the reason.
        self._notices: list[tuple[str, str, str, bytes]] = []

    def _deactivate(self, job: ModelJob, *, by_its_worker: bool) -> None:
        assert job.taken is not None
        self.past.append((job.taken, job.holder))
        if by_its_worker:
            self.ended_by[job.id] = (job.taken.token, job.holder)

    def end(
        self,
        job: ModelJob,
        outcome: str,
        value: bytes,
        *,
        now_ms: int,
        trace: str = "",
        delay_ms: int = 0,
    ) -> None:
        """An attempt has ended: completed, failed, delayed or waiting. `tell_parents` follows."""
        self._deactivate(job, by_its_worker=True)
        job.made += 1
        job.begun += 1
        job.value = value
        if trace:
            job.traces = [*job.traces, trace][-TRACES:]
        if outcome == "completed" and job.family.why_unfinished:
            outcome, job.value = "failed", job.family.why_unfinished
        if outcome == "delayed":
            self.postpone(job, delay_ms)
        elif outcome == "waiting":
            self.to_back(job)
        else:
            self._conclude(job, outcome, job.value, now_ms=now_ms)

    def put_back(self, jobs: Sequence[ModelJob], *, delay_ms: int) -> None:
        """Handlers have put their jobs back: an attempt each was started, and none is spent."""
        for job in jobs if delay_ms else reversed(jobs):
            self._deactivate(job, by_its_worker=True)
            job.begun += 1
            if delay_ms:
                self.postpone(job, delay_ms)
            else:
                self.to_front(job)

    def _conclude(self, job: ModelJob, state: str, value: bytes, *, now_ms: int = 0) -> None:
        """A job ends for good."""
        job.state, job.value, job.ended_ms = state, value, now_ms
        job.events.append(state)
        self.release_owner(job)
        self.note(job, state if state == "completed" else job.family.policy)

    def fail(self, job: ModelJob, value: bytes) -> None:
        """A job that waits somewhere fails."""
        self._conclude(job, "failed", value)
        self.tell_parents()

    def park(self, job: ModelJob) -> None:
        """A job that runs waits for its children."""
        self._deactivate(job, by_its_worker=True)
        job.begun += 1
        job.state = "waiting-children"
        job.events.append("waiting-children")
        self._notices.append((job.id, "", "parked", b""))
        self.tell_parents()

    # -- flows -------------------------------------------------------------------------

    def note(self, job: ModelJob, kind: str) -> None:
        """What the parents of a job are to hear."""
        self._notices += [(parent, job.id, kind, job.value) for parent in job.family.parents]

    def tell_parents(self) -> None:
        """Have the parents hear all that was noted, and go on or fail."""
        while self._notices:
            heard: dict[str, set[str]] = defaultdict(set)
            notices, self._notices = self._notices, []
            for parent_id, child, kind, value in notices:
                parent = self.jobs.get(parent_id)
                if parent and kind == "parked":
                    heard[parent_id].add("fail" if parent.family.failed else kind)
                elif parent and parent.family.hear(child, kind, value):
                    heard[parent_id].add(kind)
            for parent_id, kinds in heard.items():
                self._judge(self.jobs[parent_id], kinds)

    def _judge(self, parent: ModelJob, kinds: set[str]) -> None:
        if "fail" in kinds:
            if parent.state != "active" and not parent.has_ended:
                self._conclude(parent, "failed", b'"child failed"')
        elif parent.state == "waiting-children" and (
            "continue" in kinds or not parent.family.unprocessed
        ):
            self.to_back(parent)

    def may_wait(self, job_id: str) -> bool:
        """Tell whether a job can get children."""
        job = self.jobs.get(job_id)
        return job is not None and not job.has_ended

    def join(self, parent_id: str, child_id: str, *, is_new: bool) -> None:
        """Have a parent wait for a child; one that has ended counts at once."""
        if not self.may_wait(parent_id):
            return
        family, child = self.jobs[parent_id].family, self.jobs.get(child_id)
        if not is_new and family.knows_the_end_of(child_id):
            return
        family.unprocessed.add(child_id)
        if child is None:
            self._notices.append((parent_id, child_id, "gone", b""))
            return
        child.family.parents[parent_id] = None
        if child.has_ended and not is_new:
            self.note(child, "completed" if child.state == "completed" else child.family.policy)

    def part(self, child: ModelJob) -> int:
        """Have no parent wait for a child; return how many it had."""
        count = len(child.family.parents)
        self.note(child, "gone")
        child.family.parents.clear()
        self.tell_parents()
        return count

    def release(self, jobs: Sequence[ModelJob]) -> None:
        """Back to the front in their order, without an attempt."""
        for job in reversed(jobs):
            self._deactivate(job, by_its_worker=True)
            self.to_front(job)

    @abstractmethod
    def is_scheduled(self, job: ModelJob) -> bool:
        """Tell whether the scheduler that made a job exists: it stalls without limit then."""

    def stall(self, jobs: Iterable[ModelJob], *, limit: int) -> tuple[int, int]:
        """Their worker is gone; return how many are back in line and how many failed."""
        back: list[ModelJob] = []
        failed: list[ModelJob] = []
        for job in jobs:
            self._deactivate(job, by_its_worker=False)
            job.stalls += 1
            job.begun += 1
            job.events.append("stalled")
            own_limit = limit if job.max_stalled is None else job.max_stalled
            survives = job.stalls <= own_limit or self.is_scheduled(job)
            (back if survives else failed).append(job)
        for job in reversed(back):
            self.to_front(job)
        for job in reversed(failed):
            self._conclude(job, "failed", STALLED)
        self.tell_parents()
        return len(back), len(failed)
