"""What a command is, and what it answers."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from enum import IntEnum
from typing import Any, NamedTuple

import orjson

from vqueue.job import Job
from vqueue.queue import Queue


class ExitCode(IntEnum):
    """How the program ends."""

    DONE = 0
    #: It was understood and cannot be: no such job, not in that state, a check that failed.
    REFUSED = 1
    #: The command line is wrong; argparse's own code.
    USAGE = 2
    #: Redis did not answer.
    UNAVAILABLE = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What a command found or did."""

    #: For --json.
    data: Any
    #: For a reader.
    lines: Sequence[str] = field(default_factory=list)
    code: ExitCode = ExitCode.DONE
    #: Whether it was printed as it came.
    is_printed: bool = False
    #: Whether the program is to be run again, from its start.
    starts_anew: bool = False


def _no_arguments(_: ArgumentParser) -> None:
    return


class Command(NamedTuple):
    """One command; `run` gets the queue that was named."""

    name: str
    help: str
    run: Callable[[Queue, Namespace], Awaitable[Report]]
    arguments: Callable[[ArgumentParser], None] = _no_arguments


def job_id_argument(parser: ArgumentParser) -> None:
    """The one argument of a command that is about one job."""
    parser.add_argument("job_id", help="the job's id")


def as_data(value: Any) -> dict[str, Any]:
    """A dataclass as names and values, those that say nothing left out."""
    if not is_dataclass(value):
        raise TypeError(f"{value!r} is no dataclass")
    pairs = ((part.name, getattr(value, part.name)) for part in fields(value))
    return {name: found for name, found in pairs if found not in (None, "", [])}


#: In the order in which they are shown.
_JOB_FIELDS = (
    "id",
    "name",
    "state",
    "data",
    "options",
    "priority",
    "attempts_made",
    "attempts_started",
    "stalled_count",
    "progress",
    "returnvalue",
    "failed_reason",
    "stacktrace",
    "timestamp",
    "delay_until",
    "processed_on",
    "finished_on",
    "consumer",
    "fence",
)


def job_as_data(job: Job) -> dict[str, Any]:
    """A job as names and values; times are seconds since the epoch."""
    pairs = ((name, getattr(job, name)) for name in _JOB_FIELDS)
    data = {name: value for name, value in pairs if value is not None and value != ()}
    if job.last_stall is not None:
        data["last_stall"] = as_data(job.last_stall)
    return data


def table(rows: Iterable[Sequence[object]]) -> list[str]:
    """Rows as lines with aligned columns."""
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)] if texts else []
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in texts
    ]


def print_report(report: Report, *, as_json: bool) -> None:
    """Print a report: its lines, or its data as one line of JSON."""
    if as_json:
        sys.stdout.write(orjson.dumps(report.data).decode() + "\n")
    else:
        sys.stdout.writelines(line + "\n" for line in report.lines)
    sys.stdout.flush()
