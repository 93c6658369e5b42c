"""Settings of the API: flags over environment over defaults.

The only place of the package that reads the environment. `docs/configuration.md` lists every
setting; a test holds it to this file.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from vqueue import InvalidOption
from vqueue.keys import check_queue_name
from vworker.backends import Backends
from vworker.contract import QUEUE_NAME
from vworker.variable import ConfigError, read_variable

_DEFAULT_MAX_UPLOAD_BYTES = 10 * 1024**3
_LARGEST_S3_OBJECT = 5 * 1024**4
_LOG_LEVELS = ("debug", "info", "warning", "error")
_MAX_QUEUES = 100
_HOST_NAME = re.compile(r"[A-Za-z0-9._-]{1,253}")


@dataclass(frozen=True, kw_only=True, slots=True)
class DashboardSettings:
    """What the dashboard shows, and what it may do."""

    #: Names of the queues, the first one is shown first.
    queues: tuple[str, ...]
    are_actions_on: bool
    #: Lower-case names under which actions are taken, beside addresses and localhost.
    host_names: frozenset[str]


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
    dashboard: DashboardSettings


def build_parser() -> argparse.ArgumentParser:
    """Return the command line of `python -m vapi`."""
    parser = argparse.ArgumentParser(
        prog="python -m vapi",
        description="Serve the HTTP API: submit videos, follow them, play them (docs/api.md).",
        epilog=(
            "Backends come from the environment: REDIS_URL, MONGODB_URI, S3_ENDPOINT_URL, "
            "S3_BUCKET and the standard AWS_* variables; NAME_FILE reads any of the first "
            "four from a file. VAPI_MAX_UPLOAD_BYTES limits video bodies (10 GiB). "
            "VAPI_DASHBOARD_ACTIONS=on lets /dashboard change things. There is "
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
        dashboard=DashboardSettings(
            queues=_queues(text(None, "VAPI_DASHBOARD_QUEUES", QUEUE_NAME)),
            are_actions_on=_switch(
                "VAPI_DASHBOARD_ACTIONS", text(None, "VAPI_DASHBOARD_ACTIONS", "off")
            ),
            host_names=_host_names(text(None, "VAPI_DASHBOARD_HOSTS", "")),
        ),
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


def _switch(name: str, value: str) -> bool:
    if value not in ("on", "off"):
        raise ConfigError(f"{name}={value!r} cannot be used: choose on or off")
    return value == "on"


def _listed(value: str) -> list[str]:
    """Return the parts of a list with commas, each once."""
    return list(dict.fromkeys(filter(None, map(str.strip, value.split(",")))))


def _queues(value: str) -> tuple[str, ...]:
    names = _listed(value)
    if not 1 <= len(names) <= _MAX_QUEUES:
        raise ConfigError(
            f"VAPI_DASHBOARD_QUEUES names {len(names)} queues: name 1 to {_MAX_QUEUES}, "
            "with commas between them"
        )
    try:
        return tuple(check_queue_name(name) for name in names)
    except InvalidOption as error:
        raise ConfigError(f"VAPI_DASHBOARD_QUEUES cannot be used: {error}") from error


def _host_names(value: str) -> frozenset[str]:
    names = _listed(value)
    for name in names:
        if not _HOST_NAME.fullmatch(name):
            raise ConfigError(
                f"VAPI_DASHBOARD_HOSTS cannot be used: {name!r} is no host name; give names "
                "without scheme and port, with commas between them"
            )
    return frozenset(name.lower() for name in names)


def _whole_number(name: str, value: str, *, low: int, high: int) -> int:
    if not (value.isascii() and value.isdecimal() and low <= int(value) <= high):
        raise ConfigError(
            f"{name}={value!r} cannot be used: give a whole number from {low} to {high}"
        )
    return int(value)
