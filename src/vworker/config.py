"""Settings of the worker: flags over environment over defaults.

The only place of the package that reads the environment. `docs/configuration.md` lists
every setting; a test holds it to this file.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vworker.backends import Backends
from vworker.containment_config import SandboxSettings, load_sandbox
from vworker.media.settings import MediaSettings
from vworker.media_config import load_media
from vworker.variable import choice, number, read_variable, whole

_LOG_LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerSettings:
    """Everything that one worker needs to know."""

    backends: Backends
    #: Jobs at a time, per process.
    concurrency: int
    #: Worker processes under the supervisor.
    processes: int
    #: Seconds of a job's lease.
    lock_duration: float
    #: Root of the scratch folders.
    temp_dir: Path
    #: Seconds that running jobs get after SIGTERM before they are handed back.
    shutdown_grace: float
    #: Seconds to wait for the backends at the start.
    start_timeout: float
    log_level: str
    #: What `media.sandbox` is opened from when the worker starts.
    sandbox: SandboxSettings
    media: MediaSettings


def build_parser() -> argparse.ArgumentParser:
    """Return the command line of `python -m vworker`."""
    parser = argparse.ArgumentParser(
        prog="python -m vworker",
        description="Take videos from the queue video-transcode and transcode them to HLS.",
        epilog=(
            "Backends come from the environment: REDIS_URL, MONGODB_URI, S3_ENDPOINT_URL, "
            "S3_BUCKET and the standard AWS_* variables; NAME_FILE reads any of the first "
            "four from a file. SIGTERM drains, a second one hands the running jobs back at "
            "once. Exit codes: 0 ended on request, 69 a backend cannot be reached, "
            "78 wrong settings."
        ),
    )
    flags = (
        ("--concurrency", "WORKER_CONCURRENCY", "jobs at a time, per process (2)"),
        ("--processes", "WORKER_PROCESSES", "worker processes (1)"),
        ("--lock-duration", "WORKER_LOCK_DURATION", "seconds of a job's lease (300)"),
        ("--temp-dir", "WORKER_TEMP_DIR", "root of the scratch folders (<tmp>/vworker)"),
        (
            "--shutdown-grace",
            "WORKER_SHUTDOWN_GRACE",
            "seconds for running jobs after SIGTERM (25)",
        ),
        ("--start-timeout", "WORKER_START_TIMEOUT", "seconds to wait for the backends (30)"),
        ("--preset", "WORKER_PRESET", "x264 preset (veryfast)"),
        (
            "--sandbox",
            "WORKER_SANDBOX",
            "require, prefer, bubblewrap, landlock or rlimits (require)",
        ),
        ("--log-level", "WORKER_LOG_LEVEL", "debug, info, warning or error (info)"),
    )
    for flag, variable, text in flags:
        parser.add_argument(flag, metavar="X", help=f"{text}; {variable}")
    # the supervisor's way of starting a worker process under a name that it knows
    parser.add_argument("--consumer", help=argparse.SUPPRESS)
    return parser


def load_settings(arguments: argparse.Namespace, environ: Mapping[str, str]) -> WorkerSettings:
    """Read the settings. Raises ConfigError, naming the setting at fault and what to do."""

    def text(name: str, default: str) -> str:
        flag: str | None = getattr(arguments, name.removeprefix("WORKER_").lower(), None)
        return flag if flag is not None else read_variable(environ, name, default)

    return WorkerSettings(
        backends=Backends.from_environ(environ),
        concurrency=whole(text, "WORKER_CONCURRENCY", "2", low=1),
        processes=whole(text, "WORKER_PROCESSES", "1", low=1),
        lock_duration=number(text, "WORKER_LOCK_DURATION", "300", low=1),
        temp_dir=Path(
            text("WORKER_TEMP_DIR", str(Path(tempfile.gettempdir()) / "vworker"))
        ).absolute(),
        shutdown_grace=number(text, "WORKER_SHUTDOWN_GRACE", "25", low=0),
        start_timeout=number(text, "WORKER_START_TIMEOUT", "30", low=0),
        log_level=choice(text, "WORKER_LOG_LEVEL", "info", _LOG_LEVELS),
        sandbox=load_sandbox(text),
        media=load_media(text, environ),
    )
