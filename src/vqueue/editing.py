"""Editing: the part of Queue that changes single jobs from outside."""

from __future__ import annotations

from typing import Any

from vqueue.edit_scripts import Edited, Resets, Retried
from vqueue.errors import InvalidOption, JobNotFound, JobNotInState
from vqueue.keys import check_name
from vqueue.options import MAX_PRIORITY
from vqueue.producing import Producing
from vqueue.quantities import Seconds, check_count, to_ms
from vqueue.states import FINAL_STATES, JobState

#: Jobs of one call of `promote_jobs` and `retry_jobs`.
_STEP = 100


class Editing(Producing):
    """Changes jobs by their id.

    Each call looks at the job's state and changes it in one step; when the state does not
    fit, JobNotInState is raised and nothing has changed. JobNotFound is raised for a job
    that the queue does not know, QueueUnavailable as everywhere. Repeating a call is safe.
    """

    async def remove(self, job_id: str, *, remove_children: bool = True) -> bool:
        """Remove a job with its log; False when there is none.

        With `remove_children` all that is under it in a flow goes too, but for what has a
        parent elsewhere. Parents that stay wait for none of them any more. Raises
        JobNotInState, and removes nothing, when one of these jobs is active: cancel it, or
        wait for its end; InvalidOption when more than 250 jobs are under it. The id may be
        added again at once.
        """
        reply = await self._scripts.remove(
            job_id=check_name(job_id, what="job id"), children=remove_children
        )
        await self._scripts.tell_parents()
        if reply is None:
            return False
        if reply == "many":
            raise InvalidOption(
                f"removal of job {job_id}: more than 250 jobs are under it; remove its children "
                "first, by remove_unprocessed_children or one by one"
            )
        _judge(reply, job_id, attempted="removal", needed="in any other state")
        return True

    async def promote(self, job_id: str) -> None:
        """Let a delayed job start now, at the back of its priority."""
        reply = await self._scripts.promote(job_id=check_name(job_id, what="job id"))
        _judge(reply, job_id, attempted="promotion", needed="delayed")

    async def promote_jobs(self, count: int | None = None) -> int:
        """Let delayed jobs start now, those first that are due first; return how many.

        At most `count` (None: as many as are delayed at the call), 100 in one step.
        """
        if count is None:
            count = int(await self._client.execute("ZCARD", self.keys.delayed))
        promoted = 0
        while promoted < count:
            reply = await self._scripts.promote(most=min(_STEP, count - promoted))
            if not isinstance(reply, int) or reply == 0:
                break
            promoted += reply
        return promoted

    async def retry(
        self,
        job_id: str,
        state: JobState = JobState.FAILED,
        *,
        reset_attempts_made: bool = False,
        reset_attempts_started: bool = False,
    ) -> None:
        """Run a job again that has failed (or completed: say so by `state`).

        It goes to the back of its own priority, without its result, reason and times. It gets
        one more attempt, or all of them with `reset_attempts_made`; `reset_attempts_started`
        forgets its stalls and the starts that no attempt was spent on. Of two callers one
        gets JobNotInState.
        """
        check_name(job_id, what="job id")
        resets = Resets(made=reset_attempts_made, started=reset_attempts_started)
        while True:
            reply = await self._scripts.retry(job_id=job_id, state=_final(state), resets=resets)
            if not isinstance(reply, Retried):
                return _judge(reply, job_id, attempted="retry", needed=state.value)
            if not reply.is_cut:
                return None

    async def retry_jobs(
        self,
        state: JobState = JobState.FAILED,
        *,
        count: int | None = None,
        before: float | None = None,
        reset_attempts_made: bool = False,
        reset_attempts_started: bool = False,
    ) -> int:
        """Run jobs again as `retry` does, those first that ended first; return how many.

        Only jobs that ended until `before` (seconds since the epoch; None: until the call), so
        that one which fails again meanwhile is not retried for ever; at most `count` of them,
        100 in one step. BullMQ's ``retryJobs`` calls the bound ``timestamp``, and its ``count``
        is that of a step.
        """
        resets = Resets(made=reset_attempts_made, started=reset_attempts_started)
        bound = "" if before is None else str(round(before * 1000))
        retried = 0
        while count is None or retried < count:
            most = _STEP if count is None else min(_STEP, count - retried)
            reply = await self._scripts.retry(
                state=_final(state), resets=resets, before=bound, most=most
            )
            if not isinstance(reply, Retried) or not (reply.jobs or reply.is_cut):
                break
            retried, bound = retried + reply.jobs, reply.before
        return retried

    async def change_delay(self, job_id: str, delay: Seconds) -> None:
        """Have a delayed job due in `delay` seconds from now."""
        reply = await self._scripts.change_delay(
            job_id=check_name(job_id, what="job id"), delay_ms=to_ms(delay, what="delay")
        )
        _judge(reply, job_id, attempted="change of the delay", needed="delayed")

    async def change_priority(self, job_id: str, priority: int, *, lifo: bool = False) -> None:
        """Give a job another priority (0: none), behind its equals or, with `lifo`, before them.

        For jobs that are waiting, prioritized or delayed.
        """
        check_count(priority, what="priority", low=0, high=MAX_PRIORITY)
        reply = await self._scripts.change_priority(
            job_id=check_name(job_id, what="job id"), priority=priority, lifo=lifo
        )
        needed = "waiting, prioritized or delayed"
        _judge(reply, job_id, attempted="change of the priority", needed=needed)

    async def update_data(self, job_id: str, data: Any) -> None:
        """Replace a job's data, in any state.

        A handler that is running goes on with what it was given; its next attempt gets the new
        data. Raises InvalidOption for data that JSON cannot hold, or that are longer than the
        `size_limit` of this queue's default_job_options; QueueFull.
        """
        encoded = self._encode(data, "data of job %s", job_id)
        self._defaults.check_size(encoded, job_id)
        reply = await self._scripts.update_data(
            job_id=check_name(job_id, what="job id"), data=encoded
        )
        _judge(reply, job_id, attempted="change of the data", needed="known")

    async def add_job_log(self, job_id: str, line: str, *, keep_logs: int = 1000) -> int:
        """Append a line to a job's log and return how many lines it has.

        The newest `keep_logs` lines are kept. After an error, or a reply that was lost on the
        way, the line may be there twice. Raises QueueFull.
        """
        check_count(keep_logs, what="keep_logs", low=1)
        kept = await self._scripts.add_log(
            job_id=check_name(job_id, what="job id"), keep=keep_logs, line=line
        )
        if kept is None:
            raise JobNotFound(job_id, attempted="log line")
        return kept

    async def remove_deduplication_key(self, deduplication_id: str) -> bool:
        """Let the next add with this deduplication id in; False when it is free already.

        The job that stood for it goes on. What was kept aside for its end runs then, unless a
        newer one was let in meanwhile.
        """
        check_name(deduplication_id, what="deduplication id")
        return bool(await self._client.execute("DEL", self.keys.dedup_owner(deduplication_id)))


def _final(state: JobState) -> str:
    if state not in FINAL_STATES:
        raise InvalidOption(f"only completed and failed jobs are retried, not {state!s} ones")
    return JobState(state).value


def _judge(reply: Edited, job_id: str, *, attempted: str, needed: str) -> None:
    if reply is None:
        raise JobNotFound(job_id, attempted=attempted)
    if isinstance(reply, str):
        raise JobNotInState(job_id, state=reply, attempted=attempted, needed=needed)
