"""Limiting: the part of Queue that keeps its jobs from being taken, all or too many of them."""

from __future__ import annotations

from vqueue.errors import InvalidOption
from vqueue.options import RateLimit
from vqueue.quantities import Seconds, check_count, to_ms
from vqueue.queue_base import QueueBase


class Limiting(QueueBase):
    """Pause, global concurrency and rate limit; they hold for all workers of the queue.

    Each call takes effect at once and lasts until it is taken back, whoever restarts. Jobs
    that are active go on. Safe to repeat; QueueUnavailable is raised as everywhere.
    """

    async def pause(self) -> None:
        """Let no job be taken. Jobs are still added, and delayed ones come to wait."""
        await self._scripts.pause(paused=True)

    async def resume(self) -> None:
        """Let jobs be taken again."""
        await self._scripts.pause(paused=False)

    async def is_paused(self) -> bool:
        """Tell whether the queue is paused."""
        return (await self._scripts.limits()).is_paused

    async def set_global_concurrency(self, concurrency: int) -> None:
        """Let at most so many jobs of the queue be active at a time, over all workers.

        A lower number ends no job. The jobs of a worker that died count until its leases
        run out. Raises InvalidOption for less than 1.
        """
        check_count(concurrency, what="global concurrency", low=1)
        await self._scripts.set_limits(concurrency=concurrency)

    async def get_global_concurrency(self) -> int | None:
        """Return what `set_global_concurrency` has set, None for no limit."""
        return (await self._scripts.limits()).concurrency

    async def remove_global_concurrency(self) -> None:
        """Let the workers decide alone how many jobs are active."""
        await self._scripts.set_limits(concurrency=None)

    async def set_global_rate_limit(self, max: int, duration: Seconds) -> None:
        """Let at most `max` jobs start in each window of `duration` seconds, over all workers.

        A window begins with the first job that starts after the one before has ended. Comes
        before the `limiter` of any worker. Raises InvalidOption as RateLimit does.
        """
        limit = RateLimit(max=max, duration=duration)
        await self._scripts.set_limits(limit_max=limit.max, limit_ms=limit.duration_ms)

    async def get_global_rate_limit(self) -> RateLimit | None:
        """Return what `set_global_rate_limit` has set."""
        limits = await self._scripts.limits()
        if limits.limit_max is None or limits.limit_ms is None:
            return None
        return RateLimit(max=limits.limit_max, duration=limits.limit_ms / 1000)

    async def remove_global_rate_limit(self) -> None:
        """Leave the rate to the workers."""
        await self._scripts.set_limits(limit_max=None, limit_ms=None)

    async def rate_limit(self, seconds: Seconds) -> None:
        """Let no job be taken for so many seconds from now; never shortens such a time."""
        hold_ms = to_ms(seconds, what="rate_limit")
        if hold_ms < 1:
            raise InvalidOption(
                f"rate_limit must be at least a millisecond, not {seconds!r}: to end one, call "
                "remove_rate_limit_key"
            )
        await self._scripts.rate_limit(hold_ms=hold_ms)

    async def get_rate_limit_ttl(self, max_jobs: int | None = None) -> float:
        """Return the seconds until the rate limit lets a job be taken; 0 for now.

        Give `max_jobs`, the `max` of the workers' limiter, when the queue has no limit.
        """
        return (await self._scripts.limits(max_jobs=max_jobs)).wait_ms / 1000

    async def remove_rate_limit_key(self) -> None:
        """Let jobs be taken at once, whatever the window has counted, and end `rate_limit`."""
        await self._scripts.rate_limit(hold_ms=0)
