"""Commands that switch a whole queue: pause, resume."""

from __future__ import annotations

from argparse import Namespace

from vqueue.cli.command import Command, Report
from vqueue.queue import Queue


async def _pause(queue: Queue, _: Namespace) -> Report:
    await queue.pause()
    return Report(data={"paused": True}, lines=["paused: jobs are added, none is taken"])


async def _resume(queue: Queue, _: Namespace) -> Report:
    await queue.resume()
    return Report(data={"paused": False}, lines=["resumed: jobs are taken"])


COMMANDS = (
    Command("pause", "Let no job be taken; active jobs go on.", _pause),
    Command("resume", "Let jobs be taken again.", _resume),
)
