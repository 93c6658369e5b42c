"""Loading and calling of the Lua scripts in lua/.

Owns loading (``--- @include`` lines, SHA-1, EVALSHA with a fall-back to EVAL) and the
repetition of calls whose reply was lost. Scripts are named by their content, so two versions
of the library can work on one queue.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from redis.crc import key_slot
from redis.exceptions import NoScriptError, OutOfMemoryError

from vqueue.connection import Client, is_transient
from vqueue.errors import InvalidOption, QueueFull, QueueUnavailable
from vqueue.keys import QueueKeys
from vqueue.lua_source import script_text
from vqueue.wire import Argument


@dataclass(frozen=True, slots=True)
class Script:
    """One script with its includes merged, and the SHA-1 that names it on the server."""

    name: str
    text: str
    sha: str


@cache
def load_script(name: str) -> Script:
    """Return the script of lua/<name>.lua; cached, since the files never change."""
    text = script_text(name)
    # SHA-1 is how Redis names scripts (EVALSHA), not a security measure
    sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
    return Script(name, text, sha)


class ScriptCalls:
    """Calls the scripts of one queue over one client.

    Calls that are safe to repeat are repeated on transient errors for `repeat_for`
    seconds, then QueueUnavailable is raised; the others are sent once.
    """

    def __init__(self, client: Client, keys: QueueKeys, *, repeat_for: float = 10.0) -> None:
        self._client = client
        self._keys = keys
        self._repeat_for = repeat_for
        #: The keys that a call names.
        self._named = (*keys.fixed, keys.absent) if client.is_cluster else keys.fixed

    def check_reach(self, queues: Iterable[str]) -> None:
        """Raise InvalidOption for queues that no script of this one can change.

        To be called before what changes several: Redis refuses such a script half way.
        """
        if not self._client.is_cluster:
            return
        slot = key_slot(self._keys.meta.encode())
        for queue in queues:
            if key_slot(self._keys.beside(queue).encode()) != slot:
                raise InvalidOption(
                    f"queue {queue!r} is in another slot of the Cluster than {self._keys.name!r}, "
                    "and one call changes jobs of one slot: begin both names with the same tag, "
                    "such as {video}-encode and {video}-letters"
                )

    async def _call(self, name: str, *args: Any, repeat: bool = True) -> Any:
        script = load_script(name)
        deadline = asyncio.get_running_loop().time() + (self._repeat_for if repeat else 0)
        pause = 0.02
        while True:
            try:
                return await self._evaluate(script, args)
            except OutOfMemoryError as error:
                raise QueueFull(
                    f"{name}: Redis is at its maxmemory ({error}); free memory, raise "
                    "maxmemory or shorten retention, then repeat"
                ) from error
            except Exception as error:
                if not is_transient(error):
                    raise
                left = deadline - asyncio.get_running_loop().time()
                if left <= 0:
                    raise QueueUnavailable(
                        f"{name} on {self._keys.prefix}: Redis gave no answer "
                        f"({type(error).__name__}: {error}); the call is safe to repeat"
                    ) from error
            await asyncio.sleep(min(left, pause * random.uniform(0.5, 1.5)))  # noqa: S311
            pause = min(pause * 2, 1.0)

    async def load(self, *names: str) -> None:
        """Have Redis compile these scripts before they are needed: their first calls would wait
        for it. Safe to repeat; when Redis gives no answer, the first calls load them after all.
        """
        for name in names:
            try:
                await self._client.execute("SCRIPT", "LOAD", load_script(name).text)
            except Exception as error:
                if not is_transient(error):
                    raise
                return

    def _command(self, name: str, *args: Any) -> tuple[Argument, ...]:
        """Return the command that runs a script which Redis knows already."""
        return "EVALSHA", load_script(name).sha, len(self._named), *self._named, *args

    async def _evaluate(self, script: Script, args: tuple[Any, ...]) -> Any:
        named = self._named
        try:
            return await self._client.execute("EVALSHA", script.sha, len(named), *named, *args)
        except NoScriptError:
            return await self._client.execute("EVAL", script.text, len(named), *named, *args)
