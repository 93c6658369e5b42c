"""SIGTERM and SIGINT as the application sees them.

The server tells its application of the end only after the last response has ended, and a
stream of events does not end by itself. So the handlers that the server has set are
wrapped: the application is told first.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def told_of_stop(stopping: Callable[[], None]) -> Iterator[None]:
    """Call `stopping` in the running loop when a stop signal arrives, then do what was set.

    Signals reach the main thread only; a server that runs in another one stops without them.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def arrived(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(stopping)
        handler = before[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)

    for number in before:
        signal.signal(number, arrived)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
