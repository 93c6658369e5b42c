"""The main loop of a Python peer's program: requests in, answers out."""

import asyncio
import logging
import os
import sys
from typing import TextIO

from benchmarks.peers.adapter import Adapter, Unsupported
from benchmarks.peers.protocol import UNSUPPORTED, Request, answer_line, failure_line


async def serve(adapter: Adapter) -> None:
    """Answer requests until the harness closes stdin.

    The answers get a descriptor of their own and stdout becomes stderr: what a queue prints is
    no message of ours.
    """
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    with os.fdopen(os.dup(sys.stdout.fileno()), "w") as answers:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        while line := await asyncio.to_thread(sys.stdin.readline):
            await _answer(adapter, Request.from_line(line), answers)


async def _answer(adapter: Adapter, request: Request, answers: TextIO) -> None:
    try:
        if request.operation not in adapter.operations():
            raise Unsupported(f"no operation {request.operation!r}")
        figures = await getattr(adapter, request.operation)(**request.arguments)
    except Unsupported as error:
        answers.write(failure_line(request.id, f"{UNSUPPORTED}{error}"))
    except Exception as error:
        logging.getLogger(__name__).exception("%s failed", request.operation)
        answers.write(failure_line(request.id, f"{type(error).__name__}: {error}"))
    else:
        answers.write(answer_line(request.id, figures))
    answers.flush()
