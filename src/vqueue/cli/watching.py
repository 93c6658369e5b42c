"""The command that watches: events."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from vqueue.cli.command import Command, Report, print_report
from vqueue.events import QueueEvents
from vqueue.job_events import JobEvent, expand
from vqueue.queue import Queue


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--follow", action="store_true", help="go on until interrupted")
    parser.add_argument("--job", metavar="ID", help="events of this job only")
    parser.add_argument(
        "--last", type=int, default=100, metavar="N", help="kept entries to begin with (100)"
    )


def _as_data(event: JobEvent) -> dict[str, Any]:
    return {
        "id": event.id,
        "number": event.number,
        "timestamp": event.timestamp,
        "name": event.name,
        "job_id": event.job_id,
        "data": event.data,
    }


def _line(event: JobEvent) -> str:
    details = " ".join(f"{name}={value!r}" for name, value in event.data.items())
    return f"{event.id} {event.name} {event.job_id} {details}".rstrip()


def _print(event: JobEvent, asked: Namespace) -> None:
    if asked.job in (None, event.job_id):
        print_report(Report(data=_as_data(event), lines=[_line(event)]), as_json=asked.json)


async def _events(queue: Queue, asked: Namespace) -> Report:
    # an entry holds the events of one call
    command = ("XREVRANGE", queue.keys.ev, "+", "-", "COUNT", max(asked.last, 1))
    kept = [
        event
        for entry_id, fields in reversed(await queue._client.execute(*command))
        for event in expand(entry_id, fields)
    ]
    for event in kept if asked.last > 0 else ():
        _print(event, asked)
    if asked.follow:
        since = kept[-1].id if kept else "0"
        async with QueueEvents(
            queue.name, asked.redis, prefix=asked.prefix, last_event_id=since
        ) as events:
            async for event in events:
                _print(event, asked)
    return Report(data=None, is_printed=True)


COMMANDS = (Command("events", "The last events, or all from now on.", _events, _arguments),)
