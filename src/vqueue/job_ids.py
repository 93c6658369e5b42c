"""Job ids, made here when the caller names none."""

from __future__ import annotations

import os
import time


class _IdMaker:
    """Makes job ids; asks for random bits in bulk, since that call costs as much as the rest."""

    def __init__(self) -> None:
        self._tails: list[str] = []
        self._ms = -1
        self._head = ""
        # a child process must not go on with its parent's
        os.register_at_fork(after_in_child=self._tails.clear)

    def make(self) -> str:
        """Return an id that nobody else has."""
        ms = int(time.time() * 1000)
        if ms != self._ms:
            self._ms, self._head = ms, f"{ms:012x}7"
        if not self._tails:
            digits = os.urandom(2560).hex()
            self._tails += [
                f"{digits[i + 1 : i + 4]}{_VARIANTS[digits[i]]}{digits[i + 4 : i + 19]}"
                for i in range(0, len(digits), 20)
            ]
        return self._head + self._tails.pop()


#: Hex digit → the digit with its two upper bits set to 10, the variant of RFC 9562.
_VARIANTS = {f"{digit:x}": "89ab"[digit & 3] for digit in range(16)}
_ids = _IdMaker()


def new_job_id() -> str:
    """Make a job id that sorts by time: a UUIDv7 (RFC 9562, 5.7) as 32 hex digits."""
    return _ids.make()
