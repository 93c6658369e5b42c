"""`python -m vapi`: see `--help` and docs/configuration.md."""

from __future__ import annotations

import logging
import os
import signal
import sys
from types import FrameType

import uvicorn

from vapi.app import create_app
from vapi.config import build_parser, load_settings
from vworker.variable import ConfigError

#: Exit code for wrong settings (sysexits.h).
EXIT_CONFIG = 78


def main(argv: list[str]) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code."""
    arguments = build_parser().parse_args(argv)
    try:
        settings = load_settings(arguments, os.environ)
    except ConfigError as error:
        print(f"vapi: {error}", file=sys.stderr)  # noqa: T201 - logging is not set up yet
        return EXIT_CONFIG
    logging.basicConfig(
        level=settings.log_level.upper(),
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    # uvicorn carries the signal out, and then raises it again for whoever was there before
    signal.signal(signal.SIGTERM, _exit_as_asked)
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_level=settings.log_level,
        lifespan="on",
        timeout_graceful_shutdown=settings.shutdown_grace,
    )
    return 0


def _exit_as_asked(number: int, frame: FrameType | None) -> None:
    sys.exit(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
