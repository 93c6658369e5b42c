"""Handlers that a test holds in its hand, and waiting for what becomes of jobs."""

import asyncio

from tests.support.waiting import until
from vqueue import Job, JobState, Queue


class HeldHandler:
    """Keeps every job until `let_go` is set; remembers what happened to each."""

    def __init__(self) -> None:
        #: Jobs in the order in which they were started; a job may come twice.
        self.started: list[Job] = []
        self.cancelled: list[Job] = []
        self.let_go = asyncio.Event()

    async def __call__(self, job: Job) -> str:
        """Wait; return the job's id."""
        self.started.append(job)
        try:
            await self.let_go.wait()
        except asyncio.CancelledError:
            self.cancelled.append(job)
            raise
        return job.id

    async def running(self, count: int) -> None:
        """Return once so many jobs have been started."""
        await until(
            lambda: len(self.started) >= count,
            what=lambda: f"{count} jobs to start; {len(self.started)} did",
        )


async def jobs_in(queue: Queue, *job_ids: str, states: set[JobState]) -> list[Job]:
    """Wait until each of the jobs is in one of the states."""
    found: list[Job | None] = []

    async def all_there() -> bool:
        found[:] = await queue.get_jobs(job_ids)
        return all(job is not None and job.state in states for job in found)

    wanted = " or ".join(sorted(states))
    await until(all_there, what=lambda: f"jobs to be {wanted}: {found}", deadline=30)
    return [job for job in found if job is not None]


async def ended(queue: Queue, *job_ids: str) -> list[Job]:
    """Wait until each of the jobs has completed or failed."""
    return await jobs_in(queue, *job_ids, states={JobState.COMPLETED, JobState.FAILED})
