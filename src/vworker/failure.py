"""A failure on its way from the worker to the user: `[code] message`, then FFmpeg's last lines.

The queue carries a reason as text; both directions of that text are here.
"""

from __future__ import annotations

import re
from typing import Any

from vworker.errors import ERRORS, ErrorCode, ErrorInfo, TranscodeError

_CODED = re.compile(r"\[(\w+)\] ([^\n]*)\n?(.*)", re.DOTALL)
#: How vqueue's sweep begins the reason of a job that lost its worker too often.
_STALLED_REASON = "job stalled"
#: In a rolling deploy a worker may know codes that this process does not.
_OF_A_NEWER_WORKER = ErrorInfo(
    cause="A code that this version does not know.",
    remedy="Look the code up in docs/errors.md of the worker's version.",
    retryable=False,
)


def failure_text(error: TranscodeError) -> str:
    """Return the reason to give the queue."""
    return "\n".join([f"[{error.code}] {error.message}", *error.detail])


def read_failure(text: str) -> dict[str, Any]:
    """Return `code`, `message`, `remedy`, `retryable` and, if there are any, FFmpeg's `detail`.

    This is the `error` of MongoDB's document and of the API.
    """
    coded = _CODED.fullmatch(text)
    if coded:
        code, message, detail = coded.groups()
        return _error(code, message) | ({"detail": detail} if detail else {})
    if text.startswith(_STALLED_REASON):
        return _error(
            ErrorCode.WORKER_LOST,
            "The workers that ran this video died, so it was given up.",
        )
    # What nobody foresaw may name paths or hosts: it stays in the log and in the queue.
    return _error(
        ErrorCode.INTERNAL,
        "The video could not be transcoded, for a reason that is in the worker's log.",
    )


def _error(code: str, message: str) -> dict[str, Any]:
    info = ERRORS[ErrorCode(code)] if code in set(ErrorCode) else _OF_A_NEWER_WORKER
    return {
        "code": str(code),
        "message": message,
        "remedy": info.remedy,
        "retryable": info.retryable,
    }
