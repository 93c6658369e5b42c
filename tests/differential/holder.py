"""A worker that takes a job, prints its id and keeps it until it is killed."""

import asyncio
import sys

from vqueue import Job, Worker


async def _keep(job: Job) -> None:
    sys.stdout.write(f"{job.id}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


async def _main(queue_name: str, redis_url: str, lease: str) -> None:
    await Worker(queue_name, _keep, redis_url, lock_duration=float(lease)).run()


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
