"""Parents and children in the model: what a parent hears of a child that has ended."""

from dataclasses import dataclass, field


@dataclass(kw_only=True, slots=True)
class Family:
    """The relatives of one job, by their ids."""

    #: What its parents are to do when it fails: fail, ignore, remove or continue.
    policy: str = "fail"
    #: In the order in which they were joined.
    parents: dict[str, None] = field(default_factory=dict)
    unprocessed: set[str] = field(default_factory=set)
    #: Ids of children that have ended → their results.
    processed: dict[str, bytes] = field(default_factory=dict)
    #: Ids → why they failed.
    ignored: dict[str, bytes] = field(default_factory=dict)
    failed: dict[str, bytes] = field(default_factory=dict)

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
        return child in (self.processed | self.ignored | self.failed)

    def hear(self, child: str, kind: str, value: bytes) -> bool:
        """A child has ended with a result or a reason; False when it was not waited for."""
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
            kept[kind][child] = value
        return True

    def wait_again_for(self, child: str) -> None:
        """A child runs again."""
        for kept in (self.processed, self.ignored, self.failed):
            kept.pop(child, None)
        self.unprocessed.add(child)

    def forgive(self) -> None:
        """The parent runs again: what has failed it before is ignored."""
        self.ignored |= self.failed
        self.failed = {}
