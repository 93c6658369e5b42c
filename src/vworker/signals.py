"""SIGTERM and SIGINT from the first moment of a process on.

A process spends its first half second on imports, without an event loop to tell. Signals that
arrive meanwhile are held by the kernel, and delivered when there is somebody to act on them.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # This module comes before everything that takes long to import.
    import asyncio

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def hold_stop_signals() -> None:
    """Let stop signals wait until `on_stop_signal`; call it in the main thread.

    A process that is started meanwhile would inherit this.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)


def on_stop_signal(loop: asyncio.AbstractEventLoop, arrived: Callable[[], None]) -> None:
    """Call `arrived` in the loop for each stop signal, those that were held included."""
    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, arrived)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP_SIGNALS)
