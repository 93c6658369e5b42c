"""Commands around workers as programs: run, health."""

from __future__ import annotations

import asyncio
import importlib
import logging
import signal
import socket
import sys
import traceback
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vqueue.attempt import Handler
from vqueue.cli.command import Command, ExitCode, Report, as_data, print_report
from vqueue.cli.reloading import sources_watched
from vqueue.errors import InvalidOption
from vqueue.presence import SILENT
from vqueue.queue import Queue
from vqueue.worker import Worker


def _run_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("handler", metavar="MODULE:NAME", help="the async function for each job")
    parser.add_argument(
        "--concurrency", type=int, default=1, metavar="N", help="jobs at a time (1)"
    )
    parser.add_argument(
        "--lock-duration", type=float, default=30, metavar="SECONDS", help="of a lease (30)"
    )
    parser.add_argument(
        "--grace",
        type=float,
        metavar="SECONDS",
        help="what running jobs get after SIGTERM or SIGINT before they go back to the line "
        "(default: until they end; a second signal ends the waiting)",
    )
    parser.add_argument(
        "--reload",
        action="store_true",
        help="for development: close and start anew when a Python file changes",
    )
    parser.add_argument(
        "--reload-dir",
        action="append",
        metavar="FOLDER",
        help="where --reload looks, may be repeated (default: the working folder)",
    )


def load_handler(name: str) -> Handler:
    """Import a handler by `package.module:attribute`, from the working folder, too.

    Raises InvalidOption that says what is missing; errors inside the module are its own.
    """
    module_name, _, attribute = name.partition(":")
    if not module_name or not attribute:
        raise InvalidOption(
            f"{name!r} names no handler: write module:function, as in app.jobs:resize"
        )
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise InvalidOption(
            f"there is no module {error.name!r} in {here} or installed: run it from the "
            "folder that holds the module"
        ) from error
    for part in attribute.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        raise InvalidOption(f"module {module_name!r} has no function {attribute!r}")
    handler: Handler = found
    return handler


async def _run(queue: Queue, asked: Namespace) -> Report:
    if not asked.reload:
        return await _work(queue, asked, load_handler(asked.handler))
    folders = [Path(folder) for folder in asked.reload_dir or ["."]]
    async with sources_watched(folders) as changed:
        try:
            handler = load_handler(asked.handler)
        except Exception:
            # the source is being edited: the next change may mend it
            traceback.print_exc()
            sys.stderr.write(f"vqueue: {asked.handler} cannot be loaded; waiting for a change\n")
            await changed
            return Report(data={}, is_printed=True, starts_anew=True)
        return await _work(queue, asked, handler, changed=changed)


async def _work(
    queue: Queue,
    asked: Namespace,
    handler: Handler,
    *,
    changed: asyncio.Task[None] | None = None,
) -> Report:
    """Run a worker until a signal, or until `changed` has ended."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level="INFO")
    worker = Worker(
        queue.name,
        handler,
        asked.redis,
        concurrency=asked.concurrency,
        lock_duration=asked.lock_duration,
        prefix=asked.prefix,
    )
    closing: list[asyncio.Task[None]] = []
    was_told = False

    def close(timeout: float | None) -> None:
        closing.append(asyncio.create_task(worker.close(timeout)))

    def stop() -> None:
        nonlocal was_told
        close(0 if was_told else asked.grace)
        was_told = True

    def has_changed() -> bool:
        return changed is not None and changed.done() and not changed.cancelled()

    with _on_signals(stop):
        running = asyncio.create_task(worker.run())
        begun = {"consumer": worker.consumer, "queue": queue.name, "concurrency": asked.concurrency}
        line = f"worker {worker.consumer} runs {asked.handler} for the jobs of {queue.name}"
        print_report(Report(data=begun, lines=[line]), as_json=asked.json)
        if changed is not None:
            await asyncio.wait([running, changed], return_when=asyncio.FIRST_COMPLETED)
            if has_changed():
                close(asked.grace)
        await running
    await asyncio.gather(*closing)
    return Report(
        data={"closed": worker.consumer},
        lines=[f"worker {worker.consumer} has closed"],
        starts_anew=has_changed() and not was_told,
    )


@contextmanager
def _on_signals(arrived: Callable[[], None]) -> Iterator[None]:
    """Call a function for each SIGTERM and SIGINT."""
    loop, numbers = asyncio.get_running_loop(), (signal.SIGTERM, signal.SIGINT)
    for number in numbers:
        loop.add_signal_handler(number, arrived)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def _health_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--here", action="store_true", help="only workers of this host")
    parser.add_argument(
        "--max-silence",
        type=float,
        default=SILENT,
        metavar="SECONDS",
        help=f"since a worker's last sign of life ({SILENT:g}; an idle one gives it every 15 s)",
    )
    parser.add_argument(
        "--max-loop-lag", type=float, metavar="SECONDS", help="how late its event loop may be"
    )


async def _health(queue: Queue, asked: Namespace) -> Report:
    workers = [
        worker
        for worker in await queue.get_workers()
        if worker.silent_for <= asked.max_silence
        and (asked.max_loop_lag is None or worker.loop_lag <= asked.max_loop_lag)
        and (not asked.here or worker.host == socket.gethostname())
    ]
    where = f" on {socket.gethostname()}" if asked.here else ""
    return Report(
        data={"healthy": bool(workers), "workers": [as_data(worker) for worker in workers]},
        lines=[f"{len(workers)} healthy workers of {queue.name}{where}"],
        code=ExitCode.DONE if workers else ExitCode.REFUSED,
    )


COMMANDS = (
    Command("run", "Run a worker until SIGTERM or SIGINT.", _run, _run_arguments),
    Command(
        "health",
        "Is there a worker that lives? For probes: exit code 0 or 1.",
        _health,
        _health_arguments,
    ),
)
