"""The command `python -m vworker`: from flags and environment to an exit code."""

from __future__ import annotations

import asyncio
import logging
import os
import sys

from vqueue import InvalidOption
from vworker.config import WorkerSettings, build_parser, load_settings
from vworker.daemon import (
    EXIT_CONFIG,
    EXIT_OK,
    EXIT_UNAVAILABLE,
    BackendUnavailable,
    run_worker,
)
from vworker.supervisor import Supervisor
from vworker.variable import ConfigError


def main(argv: list[str]) -> int:
    """Run the supervisor, or one worker process under it; return the exit code."""
    arguments = build_parser().parse_args(argv)
    try:
        settings = load_settings(arguments, os.environ)
    except ConfigError as error:
        print(f"vworker: {error}", file=sys.stderr)  # noqa: T201 - logging is not set up yet
        return EXIT_CONFIG
    logging.basicConfig(
        level=settings.log_level.upper(),
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    # The S3 driver tells at each start where it found its credentials.
    for driver in ("aiobotocore", "botocore"):
        logging.getLogger(driver).setLevel(logging.WARNING)
    logger = logging.getLogger("vworker")
    if arguments.consumer is None:
        return asyncio.run(_supervise(settings, argv))
    try:
        asyncio.run(run_worker(settings, consumer=arguments.consumer))
    except (ConfigError, InvalidOption) as error:
        logger.error("%s", error)
        return EXIT_CONFIG
    except BackendUnavailable as error:
        logger.error("%s", error)
        return EXIT_UNAVAILABLE
    return EXIT_OK


async def _supervise(settings: WorkerSettings, argv: list[str]) -> int:
    return await Supervisor(settings, argv).run()
