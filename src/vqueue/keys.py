"""Every Redis key of a queue. All share the hash tag {name}, so one slot holds a queue.

=============  =======  ==========================================================
key            type     holds (lifetime: the queue's, unless said)
=============  =======  ==========================================================
meta           HASH     ms, seq: the queue's clock · n: number of the last event ·
                        lease: the longest lease in ms · version: of the
                        library, of the worker that joined last · events_cap, events_mark ·
                        front, back, lifo, delays: place counters · run_id,
                        sweep_after · cursors repair_* · repair: a group was
                        lost · flows, groups: there are some · partials: ms until which there
                        may be partial results · buried: when a tombstone was
                        made last · next:GROUP, gap:GROUP: durable subscribers ·
                        razed, see lua/include/keys.lua · gate,
                        concurrency, limit_max, limit_ms, held_until, window_end,
                        window_used: pause and limits (lua/include/gate.lua) · sched:
                        ms of the earliest slot
ready          STREAM   group ``workers``; one entry per waiting or active job
                        without priority: j = job id
express        STREAM   group ``workers``; an entry per active job that came from
                        the front of the line or has a priority
prioritized    ZSET     front-of-line, LIFO and priority jobs by place
delayed        ZSET     due ms · 4096 + order
completed      ZSET     finished ms (until retention removes the job)
failed         ZSET     finished ms (until retention removes the job)
children       ZSET     waiting-children: ms since when
notices        LIST     what parents are still to be told, see lua/include/flow.lua ·
                        untold:N-MS SET: parents of a child with very many (until told), MS
                        when the child was added; meta's untold is the last N
cancels        HASH     token of an active job that is to end → why (until the sweep
                        after its end), lua/include/cancel.lua
g:GID          ZSET     line of a group, by place · gs:GID HASH, gw:GID STRING: what holds
                        for it · groups, ring, resting ZSET · turns HASH: see
                        lua/include/groups.lua
wake           ZSET     member 0: something to take, or an earlier due time
fresh          SET      while keys of an obliterated queue are looked for: those like them
                        that were made since
ev             STREAM   events (capped; an hour, if obliterated and not used since)
j:ID           STRING   the job's record, see lua/include/record.lua (until retention
                        removes it)
j:ID:x         HASH     what came up while the job ran: g progress, ll last log number,
                        d changed data, s why it stalled last, w: the delay of a
                        parent has begun (with the job)
j:ID:log       LIST     log lines (with the job)
sched          ZSET     job schedulers by their next slot (ms; 2^53 - 1 for those that
                        have ended or starve)
sched:SID      HASH     a job scheduler, see lua/include/schedules.lua (until removed)
tails          ZSET     schedulers with a pattern by the last slot (ms) that is listed
j:ID:par       SET      parents of a child, <queue>:<id> (with the job)
j:ID:deps      SET      children of a parent that have not ended (with the job)
j:ID:vals      HASH     results of completed children; ign, bad: why children failed
                        (with the job)
m:KIND         HASH     jobs completed, failed, stalled, calls rejected by the fence, by
                        minute since the epoch, of the last day; before: those of earlier
m:lat:WINDOW   HASH     samples of waiting and running times, see lua/latencies.lua (65
                        minutes)
part:ID        STREAM   partial results of a job by fence-number, the newest (an hour after
                        the last one)
gone:ID        STRING   activation that ended a removed job (10 minutes)
dd:DID         STRING   the job that stands for a deduplication id (until it ends, or
                        the ttl)
dn:DID         HASH     newest job that was added while that one ran: id, delay, place,
                        rest, name, owner: that one (until it ends)
wks            ZSET     consumers of workers by the ms of their last word (an hour)
wk:CONSUMER    STRING   what a worker has said last, vqueue/presence.py (an hour)
turn:DUTY      STRING   a duty was done lately (its interval)
resync:GROUP   STRING   process that reads all jobs for a durable subscriber (30 s)
=============  =======  ==========================================================
"""

from __future__ import annotations

import re

from vqueue.errors import InvalidOption

#: The consumer group of both lanes.
GROUP = "workers"

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_TAGGED = re.compile(r"(?:\{[A-Za-z0-9_.-]{1,64}\})?[A-Za-z0-9_.-]{1,128}")


def check_name(value: str, *, what: str) -> str:
    """Return a queue name or job id unchanged, or raise InvalidOption."""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise InvalidOption(
            f"{what} {value!r} is refused: use 1 to 128 of the characters A-Z a-z 0-9 _ . -"
        )
    return value


def check_queue_name(value: str, *, what: str = "queue name") -> str:
    """Return a queue name unchanged, or raise InvalidOption.

    It may begin with a tag in braces: queues with the same tag share a slot of a Cluster.
    """
    if not isinstance(value, str) or not _TAGGED.fullmatch(value):
        raise InvalidOption(
            f"{what} {value!r} is refused: use 1 to 128 of the characters A-Z a-z 0-9 _ . -, "
            "if need be after a tag in braces, such as {video}-encode"
        )
    return value


class QueueKeys:
    """The keys of one queue, built once.

    `fixed` are the nine that every script gets as KEYS, in the order of
    lua/include/keys.lua. `absent` is a key that never exists. Where a slot of a Cluster moves key
    by key, a script would find some of its keys gone and end half way; a call that names a
    missing key beside others is refused at once, and repeated when the slot has moved.
    """

    __slots__ = (
        "absent",
        "completed",
        "delayed",
        "ev",
        "express",
        "failed",
        "fixed",
        "meta",
        "name",
        "prefix",
        "prioritized",
        "ready",
        "sched",
        "tails",
        "wake",
    )

    def __init__(self, name: str, prefix: str = "vq") -> None:
        check_queue_name(name)
        check_name(prefix, what="key prefix")
        self.name = name
        self.prefix = f"{prefix}:{{{name}}}:"
        self.absent = self.prefix + "absent"
        self.meta = self.prefix + "meta"
        self.ready = self.prefix + "ready"
        self.express = self.prefix + "express"
        self.prioritized = self.prefix + "prioritized"
        self.delayed = self.prefix + "delayed"
        self.completed = self.prefix + "completed"
        self.failed = self.prefix + "failed"
        self.wake = self.prefix + "wake"
        self.ev = self.prefix + "ev"
        self.sched = self.prefix + "sched"
        self.tails = self.prefix + "tails"
        self.fixed = (
            self.meta,
            self.ready,
            self.express,
            self.prioritized,
            self.delayed,
            self.completed,
            self.failed,
            self.wake,
            self.ev,
        )

    def beside(self, queue: str) -> str:
        """Return how the keys of another queue begin that has the same key prefix."""
        return f"{self.prefix.partition(':')[0]}:{{{queue}}}:"

    def job(self, job_id: str) -> str:
        """Return the key of a job's record."""
        return f"{self.prefix}j:{job_id}"

    def live(self, job_id: str) -> str:
        """Return the key of what a running job has reported."""
        return f"{self.prefix}j:{job_id}:x"

    def log(self, job_id: str) -> str:
        """Return the key of a job's log lines."""
        return f"{self.prefix}j:{job_id}:log"

    def partials(self, job_id: str) -> str:
        """Return the key of a job's partial results."""
        return f"{self.prefix}part:{job_id}"

    def scheduler(self, scheduler_id: str) -> str:
        """Return the key of a job scheduler."""
        return f"{self.prefix}sched:{scheduler_id}"

    def metrics(self, kind: str) -> str:
        """Return the key of what is counted by minute."""
        return f"{self.prefix}m:{kind}"

    def latencies(self, window: int) -> str:
        """Return the key of the samples of five minutes since the epoch."""
        return f"{self.prefix}m:lat:{window}"

    def tombstone(self, job_id: str) -> str:
        """Return the key that outlives a removed job for ten minutes."""
        return f"{self.prefix}gone:{job_id}"

    def dedup_owner(self, dedup_id: str) -> str:
        """Return the key that names the job that stands for a deduplication id."""
        return f"{self.prefix}dd:{dedup_id}"

    def dedup_next(self, dedup_id: str) -> str:
        """Return the key of the job that enters when that one has ended."""
        return f"{self.prefix}dn:{dedup_id}"
