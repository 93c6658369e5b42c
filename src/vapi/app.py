"""The ASGI app: routes, and what lives as long as the server.

`app` is for any ASGI server with lifespan support (`uvicorn vapi.app:app`); it reads the
environment when the server starts.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import Receive, Scope, Send

from vapi.config import ApiSettings, settings_from_environment
from vapi.dashboard.routes import ROUTES as DASHBOARD_ROUTES
from vapi.duties import running_duties
from vapi.events import video_events
from vapi.health import healthz, livez, readyz
from vapi.playback import OpenToAllSites, play
from vapi.problems import HANDLERS
from vapi.services import Services, open_services
from vapi.signals import told_of_stop
from vapi.videos import create_video, get_video, list_videos
from vapi.watch import player_files, watch
from vworker.variable import ConfigError

_ROUTES: list[BaseRoute] = [
    Route("/v1/videos", list_videos, methods=["GET"]),
    Route("/v1/videos", create_video, methods=["POST"]),
    Route("/v1/videos/{id}", get_video, methods=["GET"]),
    Route("/v1/videos/{id}/events", video_events, methods=["GET"]),
    Route(
        "/v1/videos/{id}/hls/{path:path}",
        play,
        methods=["GET", "OPTIONS"],
        middleware=[Middleware(OpenToAllSites)],
    ),
    Route("/watch/{id}", watch, methods=["GET"]),
    Mount("/player", player_files),
    *DASHBOARD_ROUTES,
    Route("/livez", livez, methods=["GET"]),
    Route("/readyz", readyz, methods=["GET"]),
    Route("/healthz", healthz, methods=["GET"]),
]


def create_app(settings: ApiSettings) -> Starlette:
    """Return an app that connects when its lifespan begins; servers may be away then."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, Services]]:
        async with open_services(settings) as services, running_duties(services):
            with told_of_stop(services.live.close):
                yield {"services": services}

    return Starlette(routes=_ROUTES, exception_handlers=HANDLERS, lifespan=lifespan)


class _FromEnvironment:
    """`create_app` with the environment's settings, read at the first call: the lifespan's."""

    def __init__(self) -> None:
        self._app: Starlette | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._app is None:
            try:
                self._app = create_app(settings_from_environment())
            except ConfigError as error:
                if scope["type"] != "lifespan":
                    raise
                # one line instead of the traceback that an exception would leave
                await receive()
                await send({"type": "lifespan.startup.failed", "message": f"vapi: {error}"})
                return
        await self._app(scope, receive, send)


app = _FromEnvironment()
