import asyncio
import sys
from pathlib import Path

import pytest

from benchmarks.peers.protocol import PeerFailed
from benchmarks.program import Program, ProgramGone

ECHO = """
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    print(json.dumps({"id": asked["id"], **asked["with"]}), flush=True)
"""


async def start(code: str) -> Program:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    return Program(process, "peer", Path("peer.log"))


async def test_answers_come_in_the_order_of_the_requests() -> None:
    program = await start(ECHO)
    assert await program.ask("first", gave={"n": 1}) == {"n": 1}
    with pytest.raises(PeerFailed, match="cannot"):
        await program.ask("second", failed="cannot")
    assert await program.ask("third", gave={"n": 3}) == {"n": 3}
    await program.end()


async def test_a_program_that_ended_is_told_from_one_that_is_silent() -> None:
    ended = await start("pass")
    with pytest.raises(ProgramGone, match=r"peer ended .*open"):
        await ended.ask("open")
    await ended.end()
    silent = await start("import sys; sys.stdin.read()")
    with pytest.raises(ProgramGone, match=r"did not answer open within 0\.05 s; see peer\.log"):
        await silent.ask("open", timeout_s=0.05)
    await silent.end()
