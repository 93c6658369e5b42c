"""What a worker does for its queue beside running jobs: each of its duties in a loop.

Any worker may do any of it, in any number at once; duties.py says what a duty is.
"""

from __future__ import annotations

import asyncio

from vqueue.connection import Client
from vqueue.consumers import ForgetConsumers
from vqueue.duties import Repair, Retain, Sweep, run_duty
from vqueue.keys import QueueKeys
from vqueue.latency import LatencySamples
from vqueue.options import Retention
from vqueue.schedules import Refill
from vqueue.scripts import Scripts


class Upkeep:
    """The duties of one worker. Its lease says how often stalled jobs are looked for: a quarter of
    it, 15 s at most."""

    def __init__(
        self,
        client: Client,
        scripts: Scripts,
        keys: QueueKeys,
        *,
        lease_ms: int,
        max_stalled: int,
        completed: Retention,
        failed: Retention,
    ) -> None:
        self._duties = (
            Sweep(
                scripts,
                interval=min(lease_ms / 4000, 15.0),
                max_stalled=max_stalled,
                keep=failed.to_wire(),
            ),
            Repair(scripts),
            ForgetConsumers(client, scripts, keys),
            Retain(scripts, completed=completed, failed=failed),
        )
        self._refill = Refill(client, scripts, keys)
        #: Noted by the settler, sent every 5 s; what came last is sent by `run_once` at the end.
        self.latencies = LatencySamples(scripts)

    def start(self, group: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        """Start all duties in the group; return their tasks, which run until they are cancelled."""
        return [
            *(group.create_task(run_duty(duty)) for duty in self._duties),
            # slots that went by while no worker ran
            group.create_task(run_duty(self._refill, at_once=True)),
            group.create_task(run_duty(self.latencies)),
        ]
