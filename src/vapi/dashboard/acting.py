"""The routes that change something: retry, promote, cancel, remove; pause and resume.

Off unless VAPI_DASHBOARD_ACTIONS is on, and taken from the dashboard's own page only.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from vapi.dashboard.asking import asked_queue, json_response
from vapi.dashboard.origin import require_own_page
from vapi.problems import Problem
from vapi.services import services_of
from vqueue import Cancellation, JobNotFound, JobState, Queue

logger = logging.getLogger(__name__)


async def change_queue(request: Request) -> Response:
    """Pause or resume a queue; safe to repeat."""
    _require_allowed(request)
    change = _CHANGES_OF_QUEUES.get(request.path_params["action"])
    if change is None:
        raise _no_such_action(_CHANGES_OF_QUEUES)
    async with asked_queue(request) as queue:
        done = await change(queue)
        _record(request, queue)
    return json_response({"done": done})


async def change_job(request: Request) -> Response:
    """Do something to one job; 409 when it is not in a state for that."""
    _require_allowed(request)
    change = _CHANGES_OF_JOBS.get(request.path_params["action"])
    if change is None:
        raise _no_such_action(_CHANGES_OF_JOBS)
    async with asked_queue(request) as queue:
        done = await change(queue, request.path_params["id"])
        _record(request, queue)
    return json_response({"done": done})


def _require_allowed(request: Request) -> None:
    settings = services_of(request).settings.dashboard
    if not settings.are_actions_on:
        raise Problem(
            HTTPStatus.FORBIDDEN,
            "Actions are off. Whoever reaches the dashboard could use them: set "
            "VAPI_DASHBOARD_ACTIONS=on where that is who may.",
        )
    require_own_page(request.headers, host_names=settings.host_names)


def _no_such_action(actions: dict[str, Callable[..., Awaitable[str]]]) -> Problem:
    return Problem(HTTPStatus.NOT_FOUND, f"There is no such action: choose {', '.join(actions)}.")


def _record(request: Request, queue: Queue) -> None:
    """Leave a line of who has done what; once it is done."""
    action, job_id = request.path_params["action"], request.path_params.get("id", "")
    client = request.client.host if request.client else "an unknown client"
    logger.info(
        "dashboard: %s of %s by %s",
        action,
        f"job {job_id} of queue {queue.name}" if job_id else f"queue {queue.name}",
        client,
        extra={"action": action, "job_id": job_id},
    )


async def _pause(queue: Queue) -> str:
    await queue.pause()
    return f"Queue {queue.name} is paused: no job is taken, active ones go on."


async def _resume(queue: Queue) -> str:
    await queue.resume()
    return f"Queue {queue.name} goes on."


async def _retry(queue: Queue, job_id: str) -> str:
    job = await queue.get_job(job_id)
    has_completed = job is not None and job.state is JobState.COMPLETED
    await queue.retry(job_id, JobState.COMPLETED if has_completed else JobState.FAILED)
    return f"Job {job_id} stands in line again."


async def _promote(queue: Queue, job_id: str) -> str:
    await queue.promote(job_id)
    return f"Job {job_id} waits for its delay no longer."


async def _cancel(queue: Queue, job_id: str) -> str:
    done = await queue.cancel(job_id, reason="by the dashboard")
    if done is Cancellation.UNKNOWN:
        raise JobNotFound(job_id, attempted="cancellation")
    if done is Cancellation.ENDED:
        raise Problem(HTTPStatus.CONFLICT, f"Job {job_id} has ended before.")
    if done is Cancellation.REQUESTED:
        return f"Job {job_id} runs; its worker is told to end it."
    return f"Job {job_id} is cancelled."


async def _remove(queue: Queue, job_id: str) -> str:
    if not await queue.remove(job_id):
        raise JobNotFound(job_id, attempted="removal")
    return f"Job {job_id} is removed."


_CHANGES_OF_QUEUES: dict[str, Callable[[Queue], Awaitable[str]]] = {
    "pause": _pause,
    "resume": _resume,
}
_CHANGES_OF_JOBS: dict[str, Callable[[Queue, str], Awaitable[str]]] = {
    "retry": _retry,
    "promote": _promote,
    "cancel": _cancel,
    "remove": _remove,
}
