"""Backoff: how long a job that failed waits for its next attempt."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from vqueue.errors import InvalidOption
from vqueue.quantities import Seconds, to_ms


@dataclass(frozen=True, kw_only=True, slots=True)
class Backoff:
    """How long a failed job waits before its next attempt (BullMQ's ``backoff``).

    With n the number of attempts made, the wait is ``delay`` for ``fixed``,
    ``delay * factor ** (n - 1)`` for ``exponential``, and what the worker's
    ``backoff_strategy`` returns for any other type. ``jitter`` j in 0..1 takes the wait m
    at random from ``m * (1 - j)`` to ``m``.
    """

    #: fixed, exponential, or a name that the worker's backoff_strategy knows.
    type: str = "fixed"
    #: Seconds.
    delay: Seconds = 0
    factor: float = 2.0
    jitter: float = 0.0

    def __post_init__(self) -> None:
        to_ms(self.delay, what="backoff delay")
        if not 0 <= self.jitter <= 1:
            raise InvalidOption(f"backoff jitter must be 0 to 1, not {self.jitter!r}")
        if not 1 <= self.factor <= 1000:
            raise InvalidOption(f"backoff factor must be 1 to 1000, not {self.factor!r}")
        if not self.type:
            raise InvalidOption("backoff type must not be empty")

    @property
    def is_custom(self) -> bool:
        """Whether the worker's backoff_strategy decides."""
        return self.type not in ("fixed", "exponential")

    def delay_ms(self, attempts_made: int) -> int:
        """Return the wait in ms after this many attempts (from 1); not for custom types."""
        wait = float(to_ms(self.delay, what="backoff delay"))
        if self.type == "exponential":
            wait *= self.factor ** (attempts_made - 1)
        if self.jitter:
            wait *= 1 - self.jitter * random.random()  # noqa: S311 - spreads load, no secret
        return round(min(wait, 1e12))

    def to_wire(self) -> dict[str, Any]:
        """Return what is stored with the job: only what differs from the default."""
        wire: dict[str, Any] = {"delay": to_ms(self.delay, what="backoff delay")}
        if self.type != "fixed":
            wire["type"] = self.type
        if self.type == "exponential" and self.factor != 2:
            wire["factor"] = self.factor
        if self.jitter:
            wire["jitter"] = self.jitter
        return wire

    @classmethod
    def from_wire(cls, wire: dict[str, Any]) -> Backoff:
        """Read what `to_wire` wrote."""
        return cls(
            type=wire.get("type", "fixed"),
            delay=wire["delay"] / 1000,
            factor=wire.get("factor", 2.0),
            jitter=wire.get("jitter", 0.0),
        )
