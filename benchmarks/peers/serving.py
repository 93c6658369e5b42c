"""The main loop of a Python peer's program: requests in, answers out."""

import asyncio
import logging
import os
import sys
from typing import Protocol, TextIO

from benchmarks.peers.adapter import Unsupported
from benchmarks.peers.protocol import UNSUPPORTED, Request, answer_line, failure_line


class Served(Protocol):
    """What has operations: coroutines with keyword arguments that give figures."""

    def operations(self) -> frozenset[str]:
        """Their names."""


async def serve(program: Served) -> None:
    """Answer requests until the harness closes stdin.

    The answers get a descriptor of their own and stdout becomes stderr: what a queue prints is
    no message of ours.
    """
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    with os.fdopen(os.dup(sys.stdout.fileno()), "w") as answers:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        while line := await asyncio.to_thread(sys.stdin.readline):
            await _answer(program, Request.from_line(line), answers)


async def _answer(program: Served, request: Request, answers: TextIO) -> None:
    try:
        if request.operation not in program.operations():
            raise Unsupported(f"no operation {request.operation!r}")
        figures = await getattr(program, request.operation)(**request.arguments)
    except Unsupported as error:
        answers.write(failure_line(request.id, f"{UNSUPPORTED}{error}"))
    except Exception as error:
        logging.getLogger(__name__).exception("%s failed", request.operation)
        answers.write(failure_line(request.id, f"{type(error).__name__}: {error}"))
    else:
        answers.write(answer_line(request.id, figures))
    answers.flush()
