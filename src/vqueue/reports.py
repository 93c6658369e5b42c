"""What running jobs report: progress, coalesced, log lines and partial results, batched, and
changed data."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from vqueue.activation import Activation
from vqueue.batching import Batcher
from vqueue.errors import QueueFull, QueueUnavailable
from vqueue.flow_scripts import Dependency
from vqueue.quantities import check_count
from vqueue.record import fence_of
from vqueue.scripts import MAX_BATCH, Scripts
from vqueue.serializing import Encoder

logger = logging.getLogger(__name__)

#: Seconds between two progress calls of a worker.
PROGRESS_INTERVAL = 0.25

_Line = tuple[Activation, int, str]
#: Its place is <fence>-<number>; JSON.
_Partial = tuple[Activation, str, bytes]


class Reports:
    """Sends the reports of one worker's jobs.

    The last progress value of a job wins. The first one after a quiet time leaves at
    once; what has not left when the job ends travels with its finish call.
    """

    def __init__(
        self,
        scripts: Scripts,
        *,
        consumer: str,
        keep_logs: int,
        keep_partials: int,
        encode_data: Encoder,
    ) -> None:
        self._scripts = scripts
        self._consumer = consumer
        check_count(keep_logs, what="keep_logs", low=1)
        check_count(keep_partials, what="keep_partials", low=1)
        self._keep_logs = keep_logs
        self._keep_partials = keep_partials
        self._encode_data = encode_data
        self._changed: dict[bytes, Activation] = {}
        self._any_changed = asyncio.Event()
        self._lines: Batcher[_Line, int] = Batcher(self._send_lines, max_items=MAX_BATCH)
        self._partials: Batcher[_Partial, int] = Batcher(self._send_partials, max_items=MAX_BATCH)

    def progress_changed(self, activation: Activation) -> None:
        """Send the activation's pending progress soon."""
        self._changed[activation.token] = activation
        self._any_changed.set()

    def forget(self, activation: Activation) -> None:
        """Send nothing more: what is pending travels with the finish call."""
        self._changed.pop(activation.token, None)

    async def run(self) -> None:
        """Send progress until cancelled."""
        while True:
            await self._any_changed.wait()
            self._any_changed.clear()
            # what changes while these travel waits for the next turn
            for _ in range(0, len(self._changed), MAX_BATCH):
                await self._send_progress()
            await asyncio.sleep(PROGRESS_INTERVAL)

    async def _send_progress(self) -> None:
        batch = [
            (activation, activation.pending_progress)
            for activation in list(self._changed.values())[:MAX_BATCH]
        ]
        jobs = []
        for activation, pending in batch:
            del self._changed[activation.token]
            activation.pending_progress = None
            if pending is not None:
                jobs.append((activation.job_id, activation.token, pending))
        try:
            statuses = await self._scripts.progress(consumer=self._consumer, jobs=jobs)
        except QueueUnavailable as error:
            # a lost lease is the heartbeat's business; the values are offered again
            logger.warning("progress of %d jobs is not stored yet: %s", len(jobs), error)
            for activation, pending in batch:
                if activation.pending_progress is None and not activation.settled:
                    activation.pending_progress = pending
                    self.progress_changed(activation)
            return
        for (activation, _), status in zip(batch, statuses, strict=True):
            if status == 0:
                activation.lose()

    async def update_data(self, activation: Activation, data: Any) -> None:
        """Store other data; raises LeaseLost when the job is no longer held."""
        encoded = self._encode_data(data, "data of job %s", activation.job_id)
        changed = await self._scripts.update_data(
            job_id=activation.job_id, data=encoded, token=activation.token, consumer=self._consumer
        )
        if changed != 1:
            activation.lose()
            raise activation.lease_lost()

    async def children(self, job_id: str, kind: Dependency) -> Mapping[str, bytes]:
        """Return a job's children of a kind: ref → JSON."""
        return await self._scripts.dependencies(job_id, kind)

    async def log(self, activation: Activation, number: int, line: str) -> None:
        """Append a line; raises LeaseLost when the job is no longer held."""
        try:
            status = await self._lines.submit((activation, number, line), size_bytes=len(line))
        except QueueFull as error:
            logger.warning("job %s: log line dropped: %s", activation.job_id, error)
            return
        if status == 0:
            activation.lose()
            raise activation.lease_lost()

    async def _send_lines(self, lines: Sequence[_Line]) -> list[int]:
        return await self._scripts.log(
            consumer=self._consumer,
            keep=self._keep_logs,
            lines=[(a.job_id, a.token, number, line) for a, number, line in lines],
        )

    async def send_partial(self, activation: Activation, value: Any) -> None:
        """Append a partial result; raises LeaseLost when the job is no longer held."""
        encoded = self._encode_data(value, "a partial result of job %s", activation.job_id)
        activation.partials_sent += 1
        place = f"{fence_of(activation.token)}-{activation.partials_sent}"
        item = (activation, place, encoded)
        if await self._partials.submit(item, size_bytes=len(encoded)) == 0:
            activation.lose()
            raise activation.lease_lost()

    async def _send_partials(self, partials: Sequence[_Partial]) -> list[int]:
        return await self._scripts.partial(
            consumer=self._consumer,
            keep=self._keep_partials,
            results=[(a.job_id, a.token, place, value) for a, place, value in partials],
        )
