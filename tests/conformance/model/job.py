"""One job as the model knows it."""

from dataclasses import dataclass, field

from tests.conformance.model.family import Family
from vqueue.options import JobOptions
from vqueue.record import TakenJob


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What its producer says of a job."""

    #: As JSON.
    data: bytes = b"null"
    options: JobOptions = field(default_factory=JobOptions)

    @property
    def rest(self) -> bytes:
        """The lines of a new record from the name on."""
        return b'"task"\n%b\n%b' % (self.options.encoded, self.data)

    @property
    def group(self) -> str:
        """The id of its group, "" for none."""
        group: str = self.options.wire.get("group", {}).get("id", "")
        return group


@dataclass(kw_only=True, slots=True)
class ModelJob:
    """One job; the names are those of the record."""

    id: str
    data: bytes
    options: bytes
    priority: int
    #: waiting (prioritized ones, too), delayed, active, waiting-children, completed or failed.
    state: str = "waiting"
    #: Its order among waiting jobs.
    place: tuple[int, int, int] = (0, 0, 0)
    #: Its order among delayed jobs: False once its time has come, its delay in ms, a number.
    due: tuple[bool, int, int] = (True, 0, 0)
    #: As it was handed out last, and to whom.
    taken: TakenJob | None = None
    holder: str = ""
    ended_ms: int = 0
    made: int = 0
    begun: int = 0
    stalls: int = 0
    #: Stalls that it survives, None to leave it to the worker.
    max_stalled: int | None = None
    #: Its result, or why its last attempt failed.
    value: bytes = b""
    traces: list[str] = field(default_factory=list)
    progress: bytes = b""
    log: list[str] = field(default_factory=list)
    #: Place and value of the partial results that are kept.
    partials: list[tuple[str, bytes]] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    #: The group in whose line it waits, "" for none.
    group: str = ""
    #: The scheduler that made it, "" for none.
    scheduler: str = ""
    #: Its deduplication id, "" for none.
    unique: str = ""
    family: Family = field(default_factory=Family)

    @property
    def shown_state(self) -> str:
        """The state that a caller sees."""
        is_prioritized = self.state == "waiting" and self.priority and not self.group
        return "prioritized" if is_prioritized else self.state

    @property
    def has_ended(self) -> bool:
        """Whether it has completed or failed."""
        return self.state in ("completed", "failed")

    @property
    def has_started(self) -> bool:
        """Whether it runs, or has run before."""
        return self.state == "active" or self.begun > 0
