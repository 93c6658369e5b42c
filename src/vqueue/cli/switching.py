"""Commands on a whole queue: pause, resume, drain, clean."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from vqueue.cli.command import Command, Report
from vqueue.queue import Queue
from vqueue.states import JobState


async def _pause(queue: Queue, _: Namespace) -> Report:
    await queue.pause()
    return Report(data={"paused": True}, lines=["paused: jobs are added, none is taken"])


async def _resume(queue: Queue, _: Namespace) -> Report:
    await queue.resume()
    return Report(data={"paused": False}, lines=["resumed: jobs are taken"])


def _drain_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--delayed", action="store_true", help="the delayed jobs, too")


async def _drain(queue: Queue, asked: Namespace) -> Report:
    count = await queue.drain(delayed=asked.delayed)
    return Report(data={"removed": count}, lines=[f"{count} jobs removed"])


def _clean_arguments(parser: ArgumentParser) -> None:
    states = [str(state) for state in JobState if state is not JobState.ACTIVE]
    parser.add_argument("--state", choices=states, default="completed")
    parser.add_argument(
        "--grace", type=float, default=0, metavar="SECONDS", help="only jobs older than that"
    )
    parser.add_argument("--limit", type=int, metavar="N", help="at most so many")


async def _clean(queue: Queue, asked: Namespace) -> Report:
    removed = await queue.clean(asked.grace, limit=asked.limit, state=JobState(asked.state))
    return Report(data={"removed": removed}, lines=[*removed, f"{len(removed)} jobs removed"])


COMMANDS = (
    Command("pause", "Let no job be taken; active jobs go on.", _pause),
    Command("resume", "Let jobs be taken again.", _resume),
    Command("drain", "Remove the jobs that wait in line.", _drain, _drain_arguments),
    Command("clean", "Remove old jobs of a state.", _clean, _clean_arguments),
)
