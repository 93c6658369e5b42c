"""A child process of processes.py: runs one plain function for job after job.

It speaks lines of JSON over a socket that it inherits. It gets a job a line, and answers with
any number of ``progress``, ``log`` and ``partial`` lines, then one ``result`` or ``error``. It
ends when its parent has closed the socket.
"""

from __future__ import annotations

import importlib
import socket
import traceback
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

from vqueue.codec import decode, encode
from vqueue.errors import DelayedError, InvalidOption, RateLimitError, UnrecoverableError


class ProcessJob:
    """A job as a function in a child process gets it."""

    def __init__(self, told: Mapping[str, Any], answers: BinaryIO) -> None:
        self.id: str = told["id"]
        self.name: str = told["name"]
        self.data: Any = told["data"]
        #: See Job.fence.
        self.fence: int = told["fence"]
        self.consumer: str = told["consumer"]
        self.attempts_made: int = told["attempts_made"]
        self.attempts_started: int = told["attempts_started"]
        #: See Job.trace_context.
        self.trace_context: Mapping[str, str] | None = told.get("trace_context")
        self._answers = answers

    def update_progress(self, value: Any) -> None:
        """See Job.update_progress; does not wait."""
        _tell(self._answers, "progress", value)

    def log(self, line: str) -> None:
        """See Job.log; does not wait."""
        _tell(self._answers, "log", line)

    def send_partial(self, value: Any) -> None:
        """See Job.send_partial; does not wait."""
        _tell(self._answers, "partial", value)


def _tell(answers: BinaryIO, kind: str, value: Any) -> None:
    answers.write(encode([kind, value], "what a handler tells") + b"\n")
    answers.flush()


def load_function(target: str) -> Callable[[ProcessJob], Any]:
    """Import what ``module:function`` names. Raises InvalidOption when there is no such thing."""
    module, _, name = target.partition(":")
    try:
        function = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise InvalidOption(
            f"handler {target!r} cannot be loaded ({error}): name an importable module and a "
            "function in it, as in 'package.module:function'"
        ) from error
    if not callable(function):
        raise InvalidOption(f"handler {target!r} is a {type(function).__name__}, not a function")
    return function  # type: ignore[no-any-return]


def _run(function: Callable[[ProcessJob], Any], job: ProcessJob, answers: BinaryIO) -> None:
    try:
        result = function(job)
        _tell(answers, "result", result)
    except BrokenPipeError:
        raise
    except Exception as error:
        # the parent raises it again
        seconds = error.seconds if isinstance(error, DelayedError | RateLimitError) else None
        _tell(
            answers,
            "error",
            {
                "type": type(error).__name__,
                "is_unrecoverable": isinstance(error, UnrecoverableError),
                "text": str(error),
                "seconds": seconds if isinstance(seconds, int | float) else None,
                "stack": "".join(traceback.format_exception(error)),
            },
        )


def main(descriptor: str, target: str) -> None:
    """Serve ``module:function`` over the socket at a descriptor until the parent has gone."""
    with socket.socket(fileno=int(descriptor)) as connection:
        answers = connection.makefile("wb")
        function = load_function(target)
        _tell(answers, "ready", None)
        try:
            for line in connection.makefile("rb"):
                _run(function, ProcessJob(decode(line), answers), answers)
        except (BrokenPipeError, ConnectionResetError):
            return
