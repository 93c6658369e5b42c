"""Settings of the API: flags over environment over defaults.

The only place of the package that reads the environment. `docs/configuration.md` lists every
setting; a test holds it to this file.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from dataclasses import dataclass

from vworker.backends import Backends, ConfigError, read_variable

_DEFAULT_MAX_UPLOAD_BYTES = 10 * 1024**3
_LARGEST_S3_OBJECT = 5 * 1024**4
_LOG_LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiSettings:
    """Everything that one API process needs to know."""

    backends: Backends
    #: Address and port that `python -m vapi` listens on; port 0 takes a free one.
    host: str
    port: int
    #: A longer video body is refused with 413.
    max_upload_bytes: int
    #: Seconds that open requests get when the server stops.
    shutdown_grace: int
    log_level: str


def build_parser() -> argparse.ArgumentParser:
    """Return the command line of `python -m vapi`."""
    parser = argparse.ArgumentParser(
        prog="python -m vapi",
        description="Serve the HTTP API: submit videos, follow them, play them (docs/api.md).",
        epilog=(
            "Backends come from the environment: REDIS_URL, MONGODB_URI, S3_ENDPOINT_URL, "
            "S3_BUCKET and the standard AWS_* variables; NAME_FILE reads any of the first "
            "four from a file. VAPI_MAX_UPLOAD_BYTES limits video bodies (10 GiB). There is "
            "no authentication: listen on loopback, or behind a proxy that has one. "
            "Exit codes: 0 ended on request, 78 wrong settings."
        ),
    )
    parser.add_argument("--host", metavar="X", help="address (127.0.0.1); VAPI_HOST")
    parser.add_argument("--port", metavar="X", help="port (8000); VAPI_PORT")
    return parser


def load_settings(arguments: argparse.Namespace, environ: Mapping[str, str]) -> ApiSettings:
    """Read the settings. Raises ConfigError, naming the setting at fault and what to do."""

    def text(flag: str | None, name: str, default: str) -> str:
        return flag if flag is not None else read_variable(environ, name, default)

    port = text(arguments.port, "VAPI_PORT", "8000")
    max_upload_bytes = text(None, "VAPI_MAX_UPLOAD_BYTES", str(_DEFAULT_MAX_UPLOAD_BYTES))
    return ApiSettings(
        backends=Backends.from_environ(environ),
        host=text(arguments.host, "VAPI_HOST", "127.0.0.1"),
        port=_whole_number("VAPI_PORT", port, low=0, high=65535),
        max_upload_bytes=_whole_number(
            "VAPI_MAX_UPLOAD_BYTES", max_upload_bytes, low=1, high=_LARGEST_S3_OBJECT
        ),
        shutdown_grace=_whole_number(
            "VAPI_SHUTDOWN_GRACE", text(None, "VAPI_SHUTDOWN_GRACE", "10"), low=0, high=3600
        ),
        log_level=_log_level(text(None, "VAPI_LOG_LEVEL", "info")),
    )


def settings_from_environment() -> ApiSettings:
    """Read the settings for `uvicorn vapi.app:app`, which has flags of its own."""
    return load_settings(build_parser().parse_args([]), os.environ)


def _log_level(value: str) -> str:
    if value not in _LOG_LEVELS:
        raise ConfigError(
            f"VAPI_LOG_LEVEL={value!r} cannot be used: choose {', '.join(_LOG_LEVELS)}"
        )
    return value


def _whole_number(name: str, value: str, *, low: int, high: int) -> int:
    if not (value.isascii() and value.isdecimal() and low <= int(value) <= high):
        raise ConfigError(
            f"{name}={value!r} cannot be used: give a whole number from {low} to {high}"
        )
    return int(value)
