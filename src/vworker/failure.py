"""A failure on its way from the worker to the user: `[code] message`, then FFmpeg's last lines.

The queue carries a reason as text; both directions of that text are here.
"""

from __future__ import annotations

import re
from typing import Any

from vworker.errors import RETRYABLE_CODES, TranscodeError

_CODED = re.compile(r"\[(\w+)\] ([^\n]*)\n?(.*)", re.DOTALL)
#: How vqueue's sweep begins the reason of a job that lost its worker too often.
_STALLED_REASON = "job stalled"

#: Code of a failure that the worker did not foresee.
INTERNAL = "internal"
#: Code of a job whose workers died.
WORKER_LOST = "worker_lost"


def failure_text(error: TranscodeError) -> str:
    """Return the reason to give the queue."""
    return "\n".join([f"[{error.code}] {error.message}", *error.detail])


def read_failure(text: str) -> dict[str, Any]:
    """Return `code`, `message`, `retryable` and, when there are any, FFmpeg's lines as `detail`."""
    coded = _CODED.fullmatch(text)
    if coded:
        code, message, detail = coded.groups()
        error = {"code": code, "message": message, "retryable": _is_retryable(code)}
        return error | ({"detail": detail} if detail else {})
    if text.startswith(_STALLED_REASON):
        return {
            "code": WORKER_LOST,
            "message": "The workers that ran this video died, so it was given up.",
            "retryable": True,
        }
    # What nobody foresaw may name paths or hosts: it stays in the log and in the queue.
    return {
        "code": INTERNAL,
        "message": "The video could not be transcoded, for a reason that is in the worker's log.",
        "retryable": True,
    }


def _is_retryable(code: str) -> bool:
    return code in {str(retryable) for retryable in RETRYABLE_CODES}
