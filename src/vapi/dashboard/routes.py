"""Every route of the dashboard."""

from __future__ import annotations

from starlette.routing import BaseRoute, Mount, Route

from vapi.dashboard.acting import change_job, change_queue
from vapi.dashboard.looking import (
    get_job,
    get_log,
    get_metrics,
    get_queue,
    list_jobs,
    list_queues,
)
from vapi.dashboard.page import page, page_files

ROUTES: list[BaseRoute] = [
    Route("/dashboard", page, methods=["GET"]),
    Mount("/dashboard/files", page_files),
    Route("/api/queue", list_queues, methods=["GET"]),
    Route("/api/queue/{queue}", get_queue, methods=["GET"]),
    Route("/api/queue/{queue}/metrics", get_metrics, methods=["GET"]),
    Route("/api/queue/{queue}/jobs", list_jobs, methods=["GET"]),
    Route("/api/queue/{queue}/jobs/{id}", get_job, methods=["GET"]),
    Route("/api/queue/{queue}/jobs/{id}/log", get_log, methods=["GET"]),
    Route("/api/queue/{queue}/jobs/{id}/{action}", change_job, methods=["POST"]),
    Route("/api/queue/{queue}/{action}", change_queue, methods=["POST"]),
]
