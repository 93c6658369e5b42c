"""The page: static files, served as they are; what it shows, its scripts ask for.

Names, data, errors and log lines are text of others. The scripts put them into the page as text
only, and the policy below would keep a script in them from running.
"""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

_FOLDER = Path(__file__).parent

_CONTENT_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": _CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}

#: Scripts and styles of the page, at `/dashboard/files`; the page itself is not among them, so
#: that it is never served without its policy.
page_files = StaticFiles(directory=_FOLDER / "files")


async def page(_: Request) -> Response:
    """Serve the page, the same for every queue."""
    return FileResponse(_FOLDER / "index.html", headers=_HEADERS)
