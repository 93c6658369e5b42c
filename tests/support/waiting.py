"""Waiting for something to become true, instead of sleeping and hoping."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable

#: Seconds between two looks.
_INTERVAL = 0.01


async def until(
    condition: Callable[[], bool | Awaitable[bool]],
    *,
    what: str | Callable[[], str],
    deadline: float = 15.0,
) -> None:
    """Return once `condition` (sync or async) holds.

    Raises AssertionError after `deadline` seconds, saying `what` was waited for; a callable is
    asked then, so that it can tell what there was instead.
    """
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + deadline
    while True:
        answer = condition()
        if inspect.isawaitable(answer):
            answer = await answer
        if answer:
            return
        if loop.time() >= give_up_at:
            text = what if isinstance(what, str) else what()
            raise AssertionError(f"waited {deadline:g} s in vain for {text}")
        await asyncio.sleep(_INTERVAL)
