"""The playback page: a video in a browser, with what it takes to look at every rendition.

The page is the same for every id; its script asks the API for the video. No build step:
`watch.html` and the files in `player/` are served as they are.
"""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

_FOLDER = Path(__file__).parent

#: Scripts and styles are files of ours. hls.js hands what it has put together to the video
#: element as a blob. A script in a text that the page shows would not run.
_CONTENT_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        # data: is hls.js' empty text, behind which it puts the subtitles.
        "media-src 'self' blob: data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    )
)
_HEADERS = {
    "Content-Security-Policy": _CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}

#: Scripts and styles of the page, at `/player`.
player_files = StaticFiles(directory=_FOLDER / "player")


async def watch(_: Request) -> Response:
    """Serve the page; whether there is such a video, its script finds out."""
    return FileResponse(_FOLDER / "watch.html", headers=_HEADERS)
