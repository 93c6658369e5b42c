"""One job as the model knows it."""

from dataclasses import dataclass, field

from tests.conformance.model.family import Family
from vqueue.record import TakenJob


@dataclass(kw_only=True, slots=True)
class ModelJob:
    """One job; the names are those of the record."""

    id: str
    priority: int = 0
    #: waiting (prioritized ones, too), delayed, active, waiting-children, completed or failed.
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
