"""Job schedulers: jobs that are made again and again, by interval or cron pattern.

Model. A scheduler is a record in Redis with its next slot; take.lua and finish.lua make the
slot's job as soon as it is due, so one firing makes one job over any number of workers, and
there is no process that plans. Slots of an interval are computed in the script. Those of a
pattern are listed ahead when the scheduler is made, and by `Refill`, a duty of every worker.

Failures. While no worker runs, nothing is made; `Repeat.missed` says what becomes of slots
that went by. A job's retry or stall makes no further one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from vqueue.codec import decode, encode
from vqueue.connection import Client
from vqueue.cron import HORIZON_MS, CronPattern, list_slots
from vqueue.errors import InvalidOption
from vqueue.keys import QueueKeys, check_name
from vqueue.producing import NewJob, Producing
from vqueue.quantities import to_ms
from vqueue.repeat import JobScheduler, Repeat, date_ms
from vqueue.schedule_scripts import SchedulerRecord
from vqueue.scripts import Scripts
from vqueue.serializing import decode_payload

logger = logging.getLogger(__name__)

#: A job's id holds the scheduler's, and the ms of the slot.
_LONGEST_ID = 100


async def server_time_ms(client: Client) -> int:
    """Return the clock of the server, which alone decides when something is due."""
    seconds, micros = await client.execute("TIME")
    return int(seconds) * 1000 + int(micros) // 1000


class Scheduling(Producing):
    """The part of Queue that makes, changes and reads job schedulers."""

    async def upsert_job_scheduler(
        self, scheduler_id: str, repeat: Repeat, template: NewJob
    ) -> JobScheduler:
        """Make a job scheduler, or change the one of this id; its jobs are like `template`.

        A job's id is ``repeat.<scheduler_id>.<ms of the slot>``. With the same timing
        (every, pattern, tz, offset, start and end) the scheduler keeps its next slot and its
        count; with another one it starts again. A job of its that waits and was not begun yet
        is replaced. Safe to repeat. Raises InvalidOption, also for an `end_date` that is
        past and for options that the scheduler decides itself (job_id, delay,
        deduplication) or does not have (group); QueueFull, QueueUnavailable.
        """
        check_name(scheduler_id, what="job scheduler id")
        if len(scheduler_id) > _LONGEST_ID:
            raise InvalidOption(f"job scheduler id {scheduler_id!r} is longer than {_LONGEST_ID}")
        record = self._prepare(template.name, template.data, template.options)
        delay_ms, place, name = record.settings
        if delay_ms or template.options.job_id is not None or place.endswith("*"):
            raise InvalidOption(
                f"job scheduler {scheduler_id}: its template has a job_id, delay, "
                "deduplication or group, which a scheduler's job cannot have: leave them out"
            )
        now_ms = await server_time_ms(self._client)
        if repeat.end_date is not None and date_ms(repeat.end_date) < now_ms:
            raise InvalidOption(f"job scheduler {scheduler_id}: end_date {repeat.end_date} is past")
        first, slots, is_final = _first_slots(repeat, now_ms)
        await self._scripts.sched_put(
            scheduler=SchedulerRecord(
                scheduler_id=scheduler_id,
                timing=repeat.timing,
                name=name,
                lines=_lines_of(scheduler_id, record.rest),
                place=place,
                every_ms=0 if repeat.every is None else to_ms(repeat.every, what="every"),
                anchor=_anchor(repeat),
                first=first,
                slots=" ".join(map(str, slots)),
                final=int(is_final),
                limit=repeat.limit or 0,
                last_ms=date_ms(repeat.end_date),
                missed=repeat.missed,
                overlap=int(repeat.overlap),
            )
        )
        scheduler = await self.get_job_scheduler(scheduler_id)
        if scheduler is None:
            raise InvalidOption(f"job scheduler {scheduler_id} was removed while it was made")
        return scheduler

    async def remove_job_scheduler(self, scheduler_id: str) -> bool:
        """Remove a job scheduler, and its job if that waits and was not begun yet.

        Returns False when there is none. Safe to repeat.
        """
        check_name(scheduler_id, what="job scheduler id")
        return await self._scripts.sched_del(scheduler_id=scheduler_id)

    async def get_job_scheduler(self, scheduler_id: str) -> JobScheduler | None:
        """Return a job scheduler, None when there is none."""
        check_name(scheduler_id, what="job scheduler id")
        flat = await self._client.execute("HGETALL", self.keys.scheduler(scheduler_id))
        fields = dict(zip(flat[::2], flat[1::2], strict=True))
        return _scheduler_of(scheduler_id, fields) if fields else None

    async def get_job_schedulers(
        self, *, start: int = 0, end: int = 99, asc: bool = True
    ) -> list[JobScheduler]:
        """Return job schedulers by their next slot, from `start` to `end` (both included)."""
        order = () if asc else ("REV",)
        ids = await self._client.execute("ZRANGE", self.keys.sched, start, end, *order)
        found = await asyncio.gather(*(self.get_job_scheduler(one.decode()) for one in ids))
        return [scheduler for scheduler in found if scheduler is not None]

    async def get_job_schedulers_count(self) -> int:
        """Return how many job schedulers there are, those that have ended included."""
        count: int = await self._client.execute("ZCARD", self.keys.sched)
        return count


def _anchor(repeat: Repeat) -> str:
    if repeat.offset is not None:
        return str(to_ms(repeat.offset, what="offset"))
    return str(date_ms(repeat.start_date)) if repeat.start_date is not None else ""


def _first_slots(repeat: Repeat, now_ms: int) -> tuple[str, Sequence[int], bool]:
    """Return the first slot (ms, "" leaves it to the script), those after it, and whether
    they are all."""
    if repeat.pattern is None:
        return str(now_ms) if repeat.immediately else "", (), False
    after_ms = max(now_ms, date_ms(repeat.start_date) - 1)
    slots, is_final = list_slots(
        CronPattern(repeat.pattern, repeat.tz),
        after_ms=after_ms,
        now_ms=now_ms,
        last_ms=date_ms(repeat.end_date),
    )
    if repeat.immediately:
        slots.insert(0, now_ms)
    return (str(slots[0]), slots[1:], is_final) if slots else ("", (), True)


def _lines_of(scheduler_id: str, rest: bytes) -> bytes:
    """Put the scheduler's id among the options of a job's record."""
    name, options, *others = rest.split(b"\n")
    stored = decode(options) if options else {}
    stored["scheduler"] = scheduler_id
    return b"\n".join((name, encode(stored, "job options"), *others))


def _scheduler_of(scheduler_id: str, fields: dict[bytes, bytes]) -> JobScheduler:
    timing = decode(fields[b"timing"])
    name, options, data = fields[b"lines"].split(b"\n")[:3]

    def seconds(name: str) -> float | None:
        return timing[name] / 1000 if name in timing else None

    return JobScheduler(
        id=scheduler_id,
        name=decode(name),
        data=decode_payload(data),
        options={k: v for k, v in decode(options).items() if k != "scheduler"},
        every=seconds("every"),
        pattern=timing.get("pattern"),
        tz=timing.get("tz"),
        offset=seconds("offset"),
        start_date=seconds("start"),
        end_date=seconds("end"),
        limit=int(fields[b"limit"]) or None,
        missed=fields[b"missed"].decode(),
        overlap=fields[b"overlap"] == b"1",
        iteration_count=int(fields[b"count"]),
        next_run=int(fields[b"slot"]) / 1000 if fields[b"slot"] else None,
        job_id=fields[b"job"].decode() or None,
    )


class Refill:
    """Lists further slots of cron patterns, well before the listed ones are at an end."""

    interval = 60.0
    #: Schedulers of one run.
    _MOST = 100

    def __init__(self, client: Client, scripts: Scripts, keys: QueueKeys) -> None:
        self._client = client
        self._scripts = scripts
        self._keys = keys

    async def run_once(self) -> None:
        """Extend the lists that end soon."""
        now_ms = await server_time_ms(self._client)
        ids = await self._client.execute(
            *("ZRANGE", self._keys.tails, "-inf", now_ms + HORIZON_MS // 3, "BYSCORE"),
            *("LIMIT", 0, self._MOST),
        )
        for scheduler_id in ids:
            await self._refill(scheduler_id.decode(), now_ms)

    async def _refill(self, scheduler_id: str, now_ms: int) -> None:
        tail, raw_timing, missed = await self._client.execute(
            "HMGET", self._keys.scheduler(scheduler_id), "tail", "timing", "missed"
        )
        after_ms, is_final = int(tail or 0), True
        slots: list[int] = []
        if raw_timing:
            timing = decode(raw_timing)
            try:
                pattern = CronPattern(timing["pattern"], timing["tz"])
            except InvalidOption as error:
                logger.error("job scheduler %s stands still: %s", scheduler_id, error)
                return
            if missed != b"all" and (latest := pattern.latest(now_ms)):
                # of the slots that went by, only the latest may still get a job
                after_ms = max(after_ms, latest - 1)
            slots, is_final = list_slots(
                pattern, after_ms=after_ms, now_ms=now_ms, last_ms=timing.get("end", 0)
            )
        await self._scripts.sched_refill(
            scheduler_id=scheduler_id, tail=tail or b"", slots_ms=slots, is_final=is_final
        )
