"""Durability: an add that returns when replicas have it, or the append-only file is on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.exceptions import NoScriptError

from vqueue.connection import BLOCK_MARGIN, Client, open_client
from vqueue.errors import InvalidOption, NotDurable
from vqueue.keys import QueueKeys
from vqueue.quantities import Seconds, check_count, duration_ms
from vqueue.record import NewRecord
from vqueue.script_calls import Script
from vqueue.scripts import Scripts
from vqueue.sources import RedisSource

#: Longest time to wait for copies, in ms.
_LONGEST_MS = 60_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Durability:
    """What must have a job before its `add` returns.

    Redis answers an add when it is in its memory, and sends it to replicas and to the disk
    later: a failover or a crash of the machine within that moment forgets it. Waiting makes
    that window smaller and does not close it: the copy that takes over may be another one.
    """

    #: Replicas that must have it (WAIT); with `fsync`: on their disks.
    replicas: int = 0
    #: Whether it must be on the server's own disk (WAITAOF: Redis 7.2, Valkey 7.2).
    fsync: bool = False
    #: Seconds to wait for them, at most 60.
    timeout: Seconds = 5

    def __post_init__(self) -> None:
        check_count(self.replicas, what="replicas", low=0)
        timeout_ms = duration_ms(self.timeout, what="timeout of a durability")
        if timeout_ms > _LONGEST_MS:
            raise InvalidOption(f"timeout of a durability is at most 60 s, not {self.timeout!r}")
        if not self.replicas and not self.fsync:
            raise InvalidOption("a durability waits for replicas, for fsync, or for both")

    @property
    def command(self) -> tuple[str | int, ...]:
        """The command that waits."""
        timeout_ms = duration_ms(self.timeout, what="timeout of a durability")
        if self.fsync:
            return "WAITAOF", 1, self.replicas, timeout_ms
        return "WAIT", self.replicas, timeout_ms

    def is_reached(self, reply: Any) -> bool:
        """Tell by the reply to `command`."""
        if self.fsync:
            return isinstance(reply, list) and reply[0] >= 1 and reply[1] >= self.replicas
        return isinstance(reply, int) and reply >= self.replicas

    def __str__(self) -> str:
        parts = ["on disk"] if self.fsync else []
        parts += [f"on {self.replicas} replicas"] if self.replicas else []
        return f"{' and '.join(parts)} within {self.timeout} s"


def open_waiting_client(redis: RedisSource, keys: QueueKeys) -> Client:
    """Return a client whose connections may wait for copies, one call on each."""
    return open_client(
        redis,
        key=keys.meta,
        reply_timeout=_LONGEST_MS / 1000 + BLOCK_MARGIN,
        blocking=True,
    )


class _Confirmed(Scripts):
    """Scripts whose call is followed by the command that waits, on the same connection."""

    def __init__(
        self, client: Client, keys: QueueKeys, *, repeat_for: float, durability: Durability
    ) -> None:
        super().__init__(client, keys, repeat_for=repeat_for)
        self._durability = durability
        self.confirmation: Any = None

    async def _evaluate(self, script: Script, args: tuple[Any, ...]) -> Any:
        wait = self._durability.command
        reply: Any = None
        for how, what in (("EVALSHA", script.sha), ("EVAL", script.text)):
            call = (how, what, len(self._named), *self._named, *args)
            reply, self.confirmation = await self._client.execute_together(call, wait)
            if not isinstance(reply, NoScriptError):
                break
        if isinstance(reply, Exception):
            raise reply
        return reply


async def add_durably(
    client: Client,
    keys: QueueKeys,
    *,
    repeat_for: float,
    durability: Durability,
    jobs: Sequence[NewRecord],
) -> list[int | str]:
    """Add jobs as Scripts.add does and wait. Raises NotDurable."""
    scripts = _Confirmed(client, keys, repeat_for=repeat_for, durability=durability)
    statuses = await scripts.add(jobs=jobs)
    if not durability.is_reached(scripts.confirmation):
        found = f"the server answered {scripts.confirmation} to {durability.command[0]}"
        raise NotDurable([job.job_id for job in jobs], wanted=str(durability), found=found)
    return statuses
