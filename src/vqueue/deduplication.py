"""Deduplication: the option that lets one job stand for others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vqueue.errors import InvalidOption
from vqueue.keys import check_name
from vqueue.quantities import Seconds, to_ms


@dataclass(frozen=True, kw_only=True, slots=True)
class Deduplication:
    """One job stands for all that are added with the same `id` (BullMQ's ``deduplication``).

    Without more the job added first stands for the others until it has completed or failed.
    With `ttl` it does so for that time, whatever becomes of it; `extend` starts the time
    again with each add that is ignored, and with `replace` the newest one takes the place of
    a job that is still delayed. With `keep_last_if_active` an add that is ignored while the
    job runs, or is between two attempts, is kept aside, and the newest of these runs once
    when the job has ended.
    """

    #: 1 to 128 of ``A-Z a-z 0-9 _ . -``.
    id: str
    #: Seconds; None: until the job has ended.
    ttl: Seconds | None = None
    extend: bool = False
    replace: bool = False
    keep_last_if_active: bool = False

    def __post_init__(self) -> None:
        check_name(self.id, what="deduplication id")
        if self.ttl is not None and to_ms(self.ttl, what="deduplication ttl") == 0:
            raise InvalidOption("deduplication ttl must be at least 1 ms, or None")
        if self.extend and self.ttl is None:
            raise InvalidOption("deduplication extend needs a ttl to start again")
        if self.keep_last_if_active and (self.ttl is not None or self.replace):
            raise InvalidOption(
                "deduplication keep_last_if_active excludes ttl and replace: it holds until the "
                "job has ended"
            )

    def to_wire(self) -> dict[str, Any]:
        """Return what lua/include/dedup.lua reads."""
        wire: dict[str, Any] = {"id": self.id}
        if self.ttl is not None:
            wire["ttl"] = to_ms(self.ttl, what="deduplication ttl")
        if self.extend:
            wire["extend"] = True
        if self.replace:
            wire["replace"] = True
        if self.keep_last_if_active:
            wire["keep_last"] = True
        return wire
