"""Commands that change jobs: promote, remove."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from vqueue.cli.command import Command, ExitCode, Report, job_id_argument
from vqueue.queue import Queue


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


async def _remove(queue: Queue, asked: Namespace) -> Report:
    is_removed = await queue.remove(asked.job_id)
    return Report(
        data={"removed": is_removed},
        lines=[f"job {asked.job_id} " + ("removed" if is_removed else "is not in the queue")],
        code=ExitCode.DONE if is_removed else ExitCode.REFUSED,
    )


COMMANDS = (
    Command("promote", "Let delayed jobs start now.", _promote, _one_or_all),
    Command("remove", "Remove a job that is not active.", _remove, job_id_argument),
)
