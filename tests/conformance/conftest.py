"""The queue of a test, its scripts, and the proof that it leaves the queue in order."""

from tests.contract.vqueue.conftest import driver, other, proved_invariants, queue

__all__ = ["driver", "other", "proved_invariants", "queue"]
