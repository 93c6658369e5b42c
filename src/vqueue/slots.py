"""Slots: the tasks in which handlers run, one job after the other.

A task for each job would cost more than everything else that a short job needs. A slot is used
again as long as its handlers leave it as they found it: one whose context variables a handler
has changed is given up, and what was set for one job is not seen by the next.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from contextvars import copy_context
from typing import Any

from vqueue.activation import Activation
from vqueue.attempt import Handler, run_attempt, stopped
from vqueue.outcome import Outcome, OutcomePolicy

#: Idle slots that are woken ahead of need: a handler that does not wait leaves its slot free
#: for the next job at once, so most of a batch can need far fewer slots than it has jobs.
_AHEAD = 8


class Slots:
    """Runs activations; `ended` is called with each one and how it is to be settled.

    The tasks belong to `group`. There are as many as jobs have run at the same time.
    """

    def __init__(
        self,
        group: asyncio.TaskGroup,
        handler: Handler,
        policy: OutcomePolicy,
        ended: Callable[[Activation, Outcome | None], None],
    ) -> None:
        self._group = group
        self._handler = handler
        self._policy = policy
        self._ended = ended
        self._ready: deque[Activation] = deque()
        self._idle: list[asyncio.Future[None]] = []
        #: Slots on their way to a job.
        self._waking = 0
        self._closing = False

    def start(self, activations: Iterable[Activation]) -> None:
        """Run these soon; the caller has counted that there are slots for them."""
        self._ready.extend(activations)
        self._wake()

    def close(self) -> None:
        """Let the slots end when there is nothing left to run."""
        self._closing = True
        while self._idle:
            self._rouse(self._idle.pop())

    def _wake(self) -> None:
        while self._waking < _AHEAD and self._waking < len(self._ready):
            if self._idle:
                self._rouse(self._idle.pop())
            else:
                self._waking += 1
                self._group.create_task(self._run(), name="vqueue-slot")

    def _rouse(self, idle: asyncio.Future[None]) -> None:
        if not idle.done():  # a slot that was cancelled is gone
            self._waking += 1
            idle.set_result(None)

    async def _run(self) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - it runs in one
        context = copy_context()
        self._waking -= 1
        while copy_context() == context:
            if self._ready:
                activation = self._ready.popleft()
                self._wake()
                await self._attempt(activation, task)
            elif self._closing:
                return
            else:
                idle = asyncio.get_running_loop().create_future()
                self._idle.append(idle)
                await idle
                self._waking -= 1
        # the next job gets a slot of its own
        self._wake()

    async def _attempt(self, activation: Activation, task: asyncio.Task[Any]) -> None:
        if activation.interrupted:
            self._ended(activation, stopped(self._policy, activation))
            return
        activation.task = task
        outcome = await run_attempt(self._handler, self._policy, activation)
        activation.task = None
        self._ended(activation, outcome)
        if activation.cancelled:
            # A handler that ended by itself has not met its cancellation: the next job must not
            # meet it. A cancellation of the worker goes on.
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0)
            if task.uncancel() > 0:
                raise asyncio.CancelledError
