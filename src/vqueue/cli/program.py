"""The command line: parsing, running one command, printing its report."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence

from redis.exceptions import RedisError

from vqueue.cli import jobs, looking, switching, watching, working
from vqueue.cli.command import Command, ExitCode, Report, print_report
from vqueue.cli.reloading import start_anew
from vqueue.errors import InvalidOption, QueueUnavailable, VQueueError
from vqueue.queue import Queue

COMMANDS: tuple[Command, ...] = (
    *looking.COMMANDS,
    *jobs.COMMANDS,
    *switching.COMMANDS,
    *watching.COMMANDS,
    *working.COMMANDS,
)

_EXIT_CODES = """\
exit codes:
  0  done
  1  refused: no such job, not in a state for that, or a check found a problem
  2  the command line is wrong
  3  Redis did not answer
"""


def main(arguments: Sequence[str]) -> int:
    """Run one command; return the exit code."""
    asked = _parser().parse_args(arguments)
    try:
        report = asyncio.run(_run(asked))
    except InvalidOption as error:
        return _complain(error, ExitCode.USAGE)
    except (QueueUnavailable, RedisError, OSError) as error:
        return _complain(error, ExitCode.UNAVAILABLE)
    except VQueueError as error:
        return _complain(error, ExitCode.REFUSED)
    except KeyboardInterrupt:
        return ExitCode.DONE  # how a reader ends `events --follow`
    if not report.is_printed:
        print_report(report, as_json=asked.json)
    if report.starts_anew:
        start_anew()
    return report.code


async def _run(asked: argparse.Namespace) -> Report:
    command: Command = asked.command
    queue = Queue(asked.queue, asked.redis, prefix=asked.prefix, repeat_for=asked.timeout)
    async with queue:
        return await command.run(queue, asked)


def _complain(error: Exception, code: ExitCode) -> int:
    sys.stderr.write(f"vqueue: {error}\n")
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m vqueue",
        description="Look at a queue and act on it.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        about = commands.add_parser(command.name, help=command.help, description=command.help)
        about.set_defaults(command=command)
        about.add_argument("queue", help="the queue's name")
        command.arguments(about)
        _add_common(about)
    return parser


def _add_common(parser: argparse.ArgumentParser) -> None:
    url = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")
    parser.add_argument("--redis", default=url, metavar="URL", help="default: $REDIS_URL")
    parser.add_argument("--prefix", default="vq", help="of the queue's keys (default: vq)")
    parser.add_argument("--json", action="store_true", help="print JSON, one value a line")
    parser.add_argument(
        "--timeout",
        type=float,
        default=10.0,
        metavar="SECONDS",
        help="how long to go on trying while Redis is away (default: 10)",
    )
