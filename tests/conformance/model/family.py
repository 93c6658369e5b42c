"""Parents and children in the model: what a parent hears of a child that has ended."""

from dataclasses import dataclass, field

#: What is to become of a parent when a child of it fails.
POLICIES = ("fail", "ignore", "remove", "continue")


@dataclass(kw_only=True, slots=True)
class Family:
    """The relatives of one job, by their ids."""

    #: What its parents are to do when it fails.
    policy: str = "fail"
    #: In the order in which they were joined.
    parents: dict[str, None] = field(default_factory=dict)
    unprocessed: set[str] = field(default_factory=set)
    processed: set[str] = field(default_factory=set)
    ignored: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)

    @property
    def why_unfinished(self) -> bytes:
        """Why the job may not complete (JSON), b"" when it may."""
        if self.failed:
            return b'"child failed"'
        if not self.unprocessed:
            return b""
        return (
            b'"%d children have not ended: raise WaitingChildrenError to wait for '
            b'them, or call remove_unprocessed_children"' % len(self.unprocessed)
        )

    def knows_the_end_of(self, child: str) -> bool:
        """Tell whether something is kept of a child that has ended."""
        return child in self.processed | self.ignored | self.failed

    def hear(self, child: str, kind: str) -> bool:
        """A child has ended; False when it was not waited for."""
        if child not in self.unprocessed:
            return False
        self.unprocessed.discard(child)
        kept = {
            "completed": self.processed,
            "ignore": self.ignored,
            "continue": self.ignored,
            "fail": self.failed,
        }
        if kind in kept:
            kept[kind].add(child)
        return True

    def wait_again_for(self, child: str) -> None:
        """A child runs again."""
        for kept in (self.processed, self.ignored, self.failed):
            kept.discard(child)
        self.unprocessed.add(child)

    def forgive(self) -> None:
        """The parent runs again: what has failed it before is ignored."""
        self.ignored |= self.failed
        self.failed = set()
