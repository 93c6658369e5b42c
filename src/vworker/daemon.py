"""One worker process: waits for its backends, works until told to stop, says how it ended.

The first SIGTERM or SIGINT drains: no new jobs, running ones get the shutdown grace, then
they are handed back without an attempt spent. The second one hands them back at once.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence

from pymongo.errors import PyMongoError
from redis.exceptions import RedisError

from vqueue import Queue, QueueUnavailable, Worker
from vqueue.duties import Duty, run_duty
from vqueue.mirror import MongoMirror
from vworker.backends import mask_credentials
from vworker.catalog import Catalog, open_client, project
from vworker.config import WorkerSettings
from vworker.contract import QUEUE_NAME
from vworker.errors import StorageError
from vworker.handler import TranscodeHandler
from vworker.janitor import Janitor
from vworker.job_options import MAX_STALLED, failed_retention
from vworker.presence import Presence, SignsOfLife, WorkerRecord
from vworker.redrive import Redriver
from vworker.signals import on_stop_signal
from vworker.storage import Storage
from vworker.toolchain import prepare_ffmpeg
from vworker.variable import ConfigError
from vworker.workspace import Workspace

logger = logging.getLogger(__name__)

#: Exit codes (sysexits.h).
EXIT_OK, EXIT_UNAVAILABLE, EXIT_CONFIG = 0, 69, 78

#: Seconds within which stop signals count as one.
_ONE_SIGNAL = 0.5

_Check = Callable[[], Awaitable[None]]


class BackendUnavailable(Exception):
    """A backend did not answer, or refused, for the whole start time-out."""


async def run_worker(settings: WorkerSettings, *, consumer: str | None = None) -> None:
    """Work until SIGTERM or SIGINT.

    Raises ConfigError for a scratch folder that cannot be used, and when FFmpeg cannot be confined
    as the settings ask or lacks a part, BackendUnavailable when a backend cannot be used within
    `settings.start_timeout`.
    """
    stop = _StopSignals()
    media = await prepare_ffmpeg(
        settings.media, settings.sandbox, jobs=settings.concurrency * settings.processes
    )
    backends = settings.backends
    try:
        workspace = Workspace(settings.temp_dir).__enter__()
    except OSError as error:
        raise ConfigError(
            f"WORKER_TEMP_DIR={settings.temp_dir} cannot be used: {error.strerror}; "
            "give a folder that this user may write"
        ) from error
    mongo = open_client(backends.mongodb_uri, server_selection_timeout=5.0)
    catalog = Catalog(mongo)
    queue = Queue(QUEUE_NAME, backends.redis_url)
    try:
        async with Storage(backends.storage) as storage, queue:
            checks: Sequence[tuple[str, _Check]] = (
                (f"Redis at {mask_credentials(backends.redis_url)}", queue.ping),
                (f"MongoDB at {mask_credentials(backends.mongodb_uri)}", catalog.ready),
                (f"S3 at {storage.location}", storage.ready),
            )
            for name, check in checks:
                if not await _wait_for(name, check, settings.start_timeout, stop):
                    return
            worker = Worker(
                QUEUE_NAME,
                TranscodeHandler(storage=storage, workspace=workspace, media=media),
                backends.redis_url,
                concurrency=settings.concurrency,
                lock_duration=settings.lock_duration,
                max_stalled=MAX_STALLED,
                remove_on_fail=failed_retention(),
                consumer=consumer,
            )
            mirror = MongoMirror(
                QUEUE_NAME, backends.redis_url, catalog.collection, project=project
            )
            signs = SignsOfLife(
                Presence(mongo),
                WorkerRecord(
                    name=worker.consumer,
                    sandbox=str(media.sandbox.level) if media.sandbox else "none",
                    concurrency=settings.concurrency,
                ),
            )
            duties = (Redriver(queue, catalog, mirror), Janitor(queue, catalog, storage), signs)
            async with signs.shown():
                await _work(worker, mirror, duties, settings, stop)
    finally:
        mongo.close()
        workspace.__exit__(None, None, None)


async def _work(
    worker: Worker,
    mirror: MongoMirror,
    duties: Sequence[Duty],
    settings: WorkerSettings,
    stop: _StopSignals,
) -> None:
    logger.info(
        "worker %s takes up to %d jobs at a time from %s",
        worker.consumer,
        worker.concurrency,
        worker.name,
        extra={"action": "ready"},
    )
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(mirror.run()),
            *(group.create_task(run_duty(duty)) for duty in duties),
            group.create_task(_close_on_signals(worker, settings.shutdown_grace, stop)),
        ]
        await worker.run()
        for task in tasks:
            task.cancel()
    logger.info("worker %s has ended", worker.consumer, extra={"action": "ended"})


async def _close_on_signals(worker: Worker, grace: float, stop: _StopSignals) -> None:
    await stop.first.wait()
    logger.info(
        "stopping: %d running jobs get %g s, then they are handed back; "
        "a second signal hands them back at once",
        len(worker.running),
        grace,
        extra={"action": "drain"},
    )
    async with asyncio.TaskGroup() as group:
        closing = group.create_task(worker.close(timeout=grace))
        second = group.create_task(stop.second.wait())
        await asyncio.wait([closing, second], return_when=asyncio.FIRST_COMPLETED)
        if not closing.done():
            logger.warning("stopping at once: jobs are handed back", extra={"action": "stop"})
            await worker.close(timeout=0)
        second.cancel()


class _StopSignals:
    """Notes the first and the second SIGTERM or SIGINT.

    Signals within half a second are one: when the supervisor is killed, the kernel sends its
    death signal once for every thread of this process.
    """

    def __init__(self) -> None:
        self.first = asyncio.Event()
        self.second = asyncio.Event()
        self._first_at = 0.0
        on_stop_signal(asyncio.get_running_loop(), self._arrived)

    def _arrived(self) -> None:
        now = time.monotonic()
        if not self.first.is_set():
            self._first_at = now
            self.first.set()
        elif now - self._first_at > _ONE_SIGNAL:
            self.second.set()


async def _wait_for(name: str, check: _Check, timeout: float, stop: _StopSignals) -> bool:
    """Wait until a backend answers; False when told to stop meanwhile."""
    deadline = time.monotonic() + timeout
    pause = 0.2
    while not stop.first.is_set():
        try:
            await check()
        except (RedisError, PyMongoError, StorageError, QueueUnavailable, OSError) as error:
            if time.monotonic() >= deadline:
                raise BackendUnavailable(
                    f"{name} was not usable within {timeout:g} s: {error}; check that it runs "
                    "and that its address and credentials are right"
                ) from error
            logger.warning("waiting for %s: %s", name, error, extra={"action": "wait"})
            await asyncio.sleep(pause)
            pause = min(pause * 2, 2.0)
        else:
            return True
    return False
