"""The routes that look: queues, their counts and workers, pages of jobs, one job, its log."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from redis.exceptions import ResponseError
from starlette.requests import Request
from starlette.responses import Response

from vapi.dashboard.asking import asked_queue, json_response, whole_number
from vapi.dashboard.representation import (
    job_json,
    log_json,
    metrics_json,
    overview_json,
    row_json,
)
from vapi.problems import Problem
from vapi.services import services_of
from vqueue import JobNotFound, JobState

_MINUTES = 60
_COUNTED = ("completed", "failed", "stalled")
_DEFAULT_PAGE, _MAX_PAGE = 25, 100
_DEFAULT_LINES, _MAX_LINES, _MAX_SKIPPED = 100, 200, 1_000_000


async def list_queues(request: Request) -> Response:
    """Tell which queues there are to look at, and whether actions are on. Asks no backend."""
    services = services_of(request)
    return json_response(
        {
            "queues": list(services.dashboard_queues),
            "are_actions_on": services.settings.dashboard.are_actions_on,
        }
    )


async def get_queue(request: Request) -> Response:
    """Tell how many jobs are in each state, the limits, and what each worker does."""
    async with asked_queue(request) as queue:
        counts, meta, workers = await asyncio.gather(
            queue.get_job_counts(), queue.get_meta(), queue.get_workers()
        )
    return json_response(overview_json(counts, meta, workers))


async def get_metrics(request: Request) -> Response:
    """Tell how many jobs ended in each minute of the last hour, how long they waited and ran."""
    async with asked_queue(request) as queue:
        latencies = await queue.get_latencies()
        told = await asyncio.gather(
            *(queue.get_metrics(kind, end=_MINUTES - 1) for kind in _COUNTED)
        )
    return json_response(
        metrics_json(
            dict(zip(_COUNTED, told, strict=True)),
            {"waiting": latencies.waiting, "running": latencies.running},
        )
    )


async def list_jobs(request: Request) -> Response:
    """Tell of the jobs of one state, a page at a time: those first that ended or came last."""
    state = _state(request.query_params.get("state", ""))
    limit = whole_number(request, "limit", default=_DEFAULT_PAGE, low=1, high=_MAX_PAGE)
    cursor = request.query_params.get("cursor")
    async with asked_queue(request) as queue:
        try:
            page = await queue.get_jobs_in(state, cursor=cursor, limit=limit)
        except ResponseError as error:
            if cursor is None:
                raise
            # one that somebody has made up: Redis cannot read the place in it
            raise Problem(
                HTTPStatus.BAD_REQUEST,
                "The cursor is not one of a page of this state: start at the first page.",
            ) from error
    return json_response({"jobs": [row_json(job) for job in page.jobs], "next": page.cursor})


async def get_job(request: Request) -> Response:
    """Tell everything of one job but its log, and why it is where it is."""
    job_id = request.path_params["id"]
    async with asked_queue(request) as queue:
        job, explanation = await asyncio.gather(queue.get_job(job_id), queue.explain(job_id))
        if job is None:
            raise JobNotFound(job_id, attempted="look")
    return json_response(job_json(job, explanation))


async def get_log(request: Request) -> Response:
    """Tell the newest lines of a job's log but the last `skip` ones, in their order.

    `next` is the `skip` of the lines before them, null when there are none.
    """
    limit = whole_number(request, "limit", default=_DEFAULT_LINES, low=1, high=_MAX_LINES)
    skip = whole_number(request, "skip", default=0, low=0, high=_MAX_SKIPPED)
    async with asked_queue(request) as queue:
        # one more tells whether there are more
        lines = await queue.get_job_logs(
            request.path_params["id"], start=-(skip + limit + 1), end=-(skip + 1)
        )
    has_more = len(lines) > limit
    return json_response(
        {"lines": log_json(lines[-limit:]), "next": skip + limit if has_more else None}
    )


def _state(text: str) -> JobState:
    try:
        return JobState(text)
    except ValueError as error:
        raise Problem(
            HTTPStatus.BAD_REQUEST,
            f"state={text[:40]} is none: choose {', '.join(JobState)}.",
        ) from error
