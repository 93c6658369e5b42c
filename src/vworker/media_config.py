"""The settings that say how FFmpeg is run: for the worker, and for the program without servers."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from vworker.containment_config import load_source_limits, load_stall_timeout
from vworker.encoding_config import load_encodings
from vworker.media.encoding import PRESETS
from vworker.media.settings import MediaSettings
from vworker.variable import ConfigError, Setting, choice, read_variable, whole


def load_media(setting: Setting, environ: Mapping[str, str]) -> MediaSettings:
    """Read how FFmpeg is run, the sandbox aside.

    Raises ConfigError, naming the setting at fault and what to do.
    """
    preset = choice(setting, "WORKER_PRESET", "veryfast", PRESETS)
    encoding, profiles = load_encodings(preset, setting)
    automatic = setting("WORKER_ENCODER_THREADS", "auto") == "auto"
    threads = None if automatic else whole(setting, "WORKER_ENCODER_THREADS", "auto", low=0)
    return MediaSettings(
        ffmpeg=_program(environ, "FFMPEG", "ffmpeg"),
        ffprobe=_program(environ, "FFPROBE", "ffprobe"),
        encoding=encoding,
        profiles=profiles,
        source_limits=load_source_limits(setting),
        stall_timeout_s=load_stall_timeout(setting),
        encoder_threads=threads,
        early_playback=choice(setting, "WORKER_EARLY_PLAYBACK", "off", ("off", "on")) == "on",
    )


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
