"""How the queue treats every transcode job, whoever adds it: attempts, waits, how long it stays."""

from __future__ import annotations

from typing import Any

from vqueue import Backoff, Retention

#: Times a job may lose its worker before it fails.
MAX_STALLED = 3


def job_options() -> dict[str, Any]:
    """Return the options of every transcode job, as keywords of `Queue.add`.

    Three attempts, with waits of 2 s and 8 s between them (2 s · 4ⁿ). Finished jobs stay in
    Redis for operators to look at; their truth is the document in MongoDB.
    """
    return {
        "attempts": 3,
        "backoff": Backoff(type="exponential", delay=2, factor=4),
        "remove_on_complete": Retention(count=10_000, age=24 * 3600),
        "remove_on_fail": failed_retention(),
        "max_stalled": MAX_STALLED,
    }


def failed_retention() -> Retention:
    """Return how long failed jobs stay in Redis."""
    return Retention(count=10_000, age=7 * 24 * 3600)
