"""Events of the user's own, in the queue's stream with the others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vqueue.codec import encode
from vqueue.errors import InvalidOption
from vqueue.job_events import EVENT_NAMES
from vqueue.keys import check_name
from vqueue.queue_base import QueueBase


class CustomEvents(QueueBase):
    """The part of Queue that adds events."""

    async def emit_event(
        self, name: str, data: Mapping[str, Any] | None = None, *, job_id: str = ""
    ) -> None:
        """Add an event, about a job or (without `job_id`) about the queue.

        Readers get it as a JobEvent with this name and data (JSON), numbered with the others.
        Sent once: after an error it may have been added. Raises InvalidOption for a name that
        the queue itself uses, QueueFull, QueueUnavailable.
        """
        check_name(name, what="event name")
        if name in EVENT_NAMES:
            raise InvalidOption(f"event name {name!r} is one of the queue's own: choose another")
        if data is not None and not isinstance(data, Mapping):
            raise InvalidOption(f"data of event {name!r} must be a mapping, not {data!r}")
        if job_id:
            check_name(job_id, what="job id")
        encoded = encode(dict(data or {}), "data of event %r", name)
        await self._scripts.emit_event(name=name, events=[(job_id, encoded)])
