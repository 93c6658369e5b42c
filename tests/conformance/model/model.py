"""A queue in plain Python: what the scripts must do, without how they do it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count

from vqueue.record import TakenJob

STALLED = b'"job stalled more than allowable limit"'

#: Within one priority the front of the line goes before LIFO jobs, and they before the others.
_FRONT, _LIFO, _BACK = 0, 1, 2


@dataclass(kw_only=True, slots=True)
class ModelJob:
    """One job; the names are those of the record."""

    id: str
    priority: int = 0
    #: waiting (prioritized ones, too), delayed, active, completed or failed.
    state: str = "waiting"
    #: Its order among waiting jobs.
    place: tuple[int, int, int] = (0, 0, 0)
    #: Its order among the due ones; None for a delayed job whose time has not come.
    due: int | None = None
    #: As it was handed out last, and to whom.
    taken: TakenJob | None = None
    holder: str = ""
    ended_ms: int = 0
    made: int = 0
    begun: int = 0
    stalls: int = 0
    value: bytes = b""
    progress: bytes = b""
    log: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)

    @property
    def shown_state(self) -> str:
        """The state that a caller sees."""
        return "prioritized" if self.state == "waiting" and self.priority else self.state


class QueueModel:
    """Jobs by id, and the moves that a queue can make."""

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
        self.is_paused = False
        self.concurrency: int | None = None
        self._order = count(1)

    def in_state(self, *states: str) -> list[ModelJob]:
        """The jobs in some states, by id."""
        return sorted(
            (job for job in self.jobs.values() if job.state in states), key=lambda job: job.id
        )

    @property
    def idle(self) -> list[ModelJob]:
        """The jobs that no worker holds, by id."""
        return self.in_state("waiting", "delayed", "completed", "failed")

    def held_by(self, consumer: str) -> list[ModelJob]:
        """The active jobs of a consumer, by id."""
        return [job for job in self.in_state("active") if job.holder == consumer]

    @property
    def line(self) -> list[ModelJob]:
        """The waiting jobs, the next one first."""
        return sorted(self.in_state("waiting"), key=lambda job: job.place)

    # -- places ------------------------------------------------------------------------

    def _to(self, job: ModelJob, lane: int, *, grows_backwards: bool) -> None:
        number = next(self._order)
        job.state, job.due = "waiting", None
        job.place = (job.priority, lane, -number if grows_backwards else number)
        job.events.append("waiting")

    def to_back(self, job: ModelJob) -> None:
        """Behind the jobs of its priority."""
        self._to(job, _BACK, grows_backwards=False)

    def to_front(self, job: ModelJob) -> None:
        """Before the jobs of its priority."""
        self._to(job, _FRONT, grows_backwards=True)

    def postpone(self, job: ModelJob) -> None:
        """Until `come_due` says that its time has come."""
        job.state, job.due = "delayed", None
        job.events.append("delayed")

    def come_due(self, job: ModelJob) -> int:
        """The time of a delayed job has come; return its order among the due ones."""
        job.due = next(self._order)
        return job.due

    # -- moves -------------------------------------------------------------------------

    def add(self, job_id: str, *, place: str, is_delayed: bool) -> bool:
        """Add a job; False for an id that is, or was, there."""
        if job_id in self.gone:
            return False
        if known := self.jobs.get(job_id):
            known.events.append("duplicated")
            return False
        job = ModelJob(id=job_id, priority=0 if place == "lifo" else int(place))
        self.jobs[job_id] = job
        job.events = [*self.former.pop(job_id, []), "added"]
        if is_delayed:
            self.postpone(job)
        elif place == "lifo":
            self._to(job, _LIFO, grows_backwards=True)
        else:
            self.to_back(job)
        return True

    def take(self, consumer: str, want: int) -> list[ModelJob]:
        """Promote what is due, then hand out the first of the line."""
        due = [job for job in self.in_state("delayed") if job.due is not None]
        for job in sorted(due, key=lambda job: job.due or 0):
            self.to_back(job)
        if self.is_paused:
            want = 0
        elif self.concurrency is not None:
            want = max(0, min(want, self.concurrency - len(self.in_state("active"))))
        taken = self.line[:want]
        for job in taken:
            job.state, job.holder = "active", consumer
            job.events.append("active")
        return taken

    def _deactivate(self, job: ModelJob, *, by_its_worker: bool) -> None:
        assert job.taken is not None
        self.past.append((job.taken, job.holder))
        if by_its_worker:
            self.ended_by[job.id] = (job.taken.token, job.holder)

    def end(self, job: ModelJob, outcome: str, value: bytes, *, now_ms: int) -> None:
        """An attempt has ended: completed, failed, delayed or waiting."""
        self._deactivate(job, by_its_worker=True)
        job.made += 1
        job.begun += 1
        job.value = value
        if outcome == "delayed":
            self.postpone(job)
        elif outcome == "waiting":
            self.to_back(job)
        else:
            job.state, job.ended_ms = outcome, now_ms
            job.events.append(outcome)

    def remove(self, job: ModelJob) -> None:
        """Forget a job; its id stays refused."""
        del self.jobs[job.id]
        self.gone.add(job.id)

    def remove_by_hand(self, job: ModelJob) -> None:
        """Forget a job; its id may be added again."""
        del self.jobs[job.id]
        self.ended_by.pop(job.id, None)
        self.former[job.id] = [*job.events, "removed"]

    def change_priority(self, job: ModelJob, priority: int, *, lifo: bool) -> None:
        """Behind its new equals, or before them; a delayed job gets its place when it is due."""
        job.priority = priority
        if job.state == "waiting":
            lane = _BACK if not lifo else _FRONT if priority else _LIFO
            self._to(job, lane, grows_backwards=lifo)
            job.events.pop()  # it did not move to another state
        job.events.append("changed")

    def retry(self, job: ModelJob, *, made: bool, started: bool) -> None:
        """Run an ended job again."""
        job.value = b""
        if made:
            job.made = 0
        if started:
            job.begun, job.stalls = job.made, 0
        self.to_back(job)

    def keep_newest(self, count: int) -> None:
        """Remove the completed jobs that were the first to end."""
        completed = sorted(self.in_state("completed"), key=lambda job: (job.ended_ms, job.id))
        for job in completed[: max(0, len(completed) - count)]:
            self.remove(job)

    def release(self, jobs: Sequence[ModelJob]) -> None:
        """Back to the front in their order, without an attempt."""
        for job in reversed(jobs):
            self._deactivate(job, by_its_worker=True)
            self.to_front(job)

    def stall(self, jobs: Iterable[ModelJob], *, limit: int) -> tuple[int, int]:
        """Their worker is gone; return how many are back in line and how many failed."""
        back: list[ModelJob] = []
        failed = 0
        for job in jobs:
            self._deactivate(job, by_its_worker=False)
            job.stalls += 1
            job.begun += 1
            job.events.append("stalled")
            if job.stalls <= limit:
                back.append(job)
            else:
                job.state, job.value = "failed", STALLED
                job.events.append("failed")
                failed += 1
        for job in reversed(back):
            self.to_front(job)
        return len(back), failed
