"""Settings of the worker: flags over environment over defaults.

The only place of the package that reads the environment. `docs/configuration.md` lists
every setting; a test holds it to this file.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vworker.backends import Backends, ConfigError, read_variable
from vworker.containment_config import (
    SandboxSettings,
    load_sandbox,
    load_source_limits,
    load_stall_timeout,
)
from vworker.encoding_config import Setting, load_encodings
from vworker.media.encoding import PRESETS
from vworker.media.settings import MediaSettings

_LOG_LEVELS = ("debug", "info", "warning", "error")
#: No count and no duration in seconds (11 days) is larger; what timers and Redis take is.
_LARGEST = 1_000_000


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
        concurrency=_whole(text, "WORKER_CONCURRENCY", "2", low=1),
        processes=_whole(text, "WORKER_PROCESSES", "1", low=1),
        lock_duration=_number(text, "WORKER_LOCK_DURATION", "300", low=1),
        temp_dir=Path(
            text("WORKER_TEMP_DIR", str(Path(tempfile.gettempdir()) / "vworker"))
        ).absolute(),
        shutdown_grace=_number(text, "WORKER_SHUTDOWN_GRACE", "25", low=0),
        start_timeout=_number(text, "WORKER_START_TIMEOUT", "30", low=0),
        log_level=_choice(text, "WORKER_LOG_LEVEL", "info", _LOG_LEVELS),
        sandbox=load_sandbox(text),
        media=load_media(text, environ),
    )


def load_media(setting: Setting, environ: Mapping[str, str]) -> MediaSettings:
    """Read how FFmpeg is run, the sandbox aside. Raises ConfigError as `load_settings` does."""
    preset = _choice(setting, "WORKER_PRESET", "veryfast", PRESETS)
    encoding, profiles = load_encodings(preset, setting)
    automatic = setting("WORKER_ENCODER_THREADS", "auto") == "auto"
    threads = None if automatic else _whole(setting, "WORKER_ENCODER_THREADS", "auto", low=0)
    return MediaSettings(
        ffmpeg=_program(environ, "FFMPEG", "ffmpeg"),
        ffprobe=_program(environ, "FFPROBE", "ffprobe"),
        encoding=encoding,
        profiles=profiles,
        source_limits=load_source_limits(setting),
        stall_timeout_s=load_stall_timeout(setting),
        encoder_threads=threads,
        early_playback=_choice(setting, "WORKER_EARLY_PLAYBACK", "off", ("off", "on")) == "on",
    )


def _number(setting: Setting, name: str, default: str, *, low: float) -> float:
    value = setting(name, default)
    try:
        parsed = float(value)
    except ValueError:
        parsed = low - 1
    return _within(name, value, parsed, low, "a number")


def _whole(setting: Setting, name: str, default: str, *, low: int) -> int:
    value = setting(name, default)
    try:
        parsed = int(value)
    except ValueError:
        parsed = low - 1
    return int(_within(name, value, parsed, low, "a whole number"))


def _within(name: str, value: str, parsed: float, low: float, kind: str) -> float:
    if not low <= parsed <= _LARGEST:
        raise ConfigError(
            f"{name}={value!r} cannot be used: give {kind} from {low:g} to {_LARGEST}"
        )
    return parsed


def _choice(setting: Setting, name: str, default: str, allowed: Sequence[str]) -> str:
    value = setting(name, default)
    if value not in allowed:
        raise ConfigError(f"{name}={value!r} cannot be used: choose {', '.join(allowed)}")
    return value


def _program(environ: Mapping[str, str], variable: str, default: str) -> str:
    """Return a program's absolute path: it is started in another folder than the worker's."""
    name = read_variable(environ, variable, default)
    path = shutil.which(name)
    if path is None:
        raise ConfigError(
            f"{variable}={name} cannot be used: {_why_not(name)}; install FFmpeg, or set "
            f"{variable} to its path"
        )
    return str(Path(path).absolute())


def _why_not(program: str) -> str:
    """Say why `shutil.which` finds no program of this name."""
    if os.sep not in program:
        return f"there is no program {program} on the PATH"
    path = Path(program).absolute()
    if not path.exists():
        return f"there is no file {path}"
    return f"{path} is a folder" if path.is_dir() else f"{path} is not executable for this user"
