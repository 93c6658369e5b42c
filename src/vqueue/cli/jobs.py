"""Commands that change jobs: retry, cancel, promote, remove."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from vqueue.cancelling import Cancellation
from vqueue.cli.command import Command, ExitCode, Report, job_id_argument
from vqueue.queue import Queue
from vqueue.states import JobState

_CANCELLATIONS = {
    Cancellation.CANCELLED: "cancelled",
    Cancellation.REQUESTED: "it runs, its worker is told",
    Cancellation.ENDED: "it has ended before",
    Cancellation.UNKNOWN: "it is not in the queue",
}


def _one_or_all(parser: ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("job_id", nargs="?", help="the job's id")
    which.add_argument("--all", action="store_true", help="every job that this can be done to")


async def _promote(queue: Queue, asked: Namespace) -> Report:
    if asked.all:
        count = await queue.promote_jobs()
    else:
        await queue.promote(asked.job_id)
        count = 1
    return Report(data={"promoted": count}, lines=[f"{count} jobs promoted"])


def _retry_arguments(parser: ArgumentParser) -> None:
    _one_or_all(parser)
    parser.add_argument("--state", choices=("failed", "completed"), default="failed")
    parser.add_argument("--count", type=int, help="with --all: at most so many")
    parser.add_argument(
        "--reset-attempts", action="store_true", help="all attempts again, not one more"
    )


async def _retry(queue: Queue, asked: Namespace) -> Report:
    state, reset = JobState(asked.state), asked.reset_attempts
    if asked.all:
        count = await queue.retry_jobs(state, count=asked.count, reset_attempts_made=reset)
    else:
        await queue.retry(asked.job_id, state, reset_attempts_made=reset)
        count = 1
    return Report(data={"retried": count}, lines=[f"{count} jobs wait to run again"])


def _cancel_arguments(parser: ArgumentParser) -> None:
    job_id_argument(parser)
    parser.add_argument("--reason", default="", help="kept as the job's failed_reason")


async def _cancel(queue: Queue, asked: Namespace) -> Report:
    done = await queue.cancel(asked.job_id, reason=asked.reason)
    is_done = done in (Cancellation.CANCELLED, Cancellation.REQUESTED)
    return Report(
        data={"cancellation": done},
        lines=[f"job {asked.job_id}: {_CANCELLATIONS[done]}"],
        code=ExitCode.DONE if is_done else ExitCode.REFUSED,
    )


async def _remove(queue: Queue, asked: Namespace) -> Report:
    is_removed = await queue.remove(asked.job_id)
    return Report(
        data={"removed": is_removed},
        lines=[f"job {asked.job_id} " + ("removed" if is_removed else "is not in the queue")],
        code=ExitCode.DONE if is_removed else ExitCode.REFUSED,
    )


COMMANDS = (
    Command("retry", "Run failed (or completed) jobs again.", _retry, _retry_arguments),
    Command("cancel", "End a job, a running one too.", _cancel, _cancel_arguments),
    Command("promote", "Let delayed jobs start now.", _promote, _one_or_all),
    Command("remove", "Remove a job that is not active.", _remove, job_id_argument),
)
