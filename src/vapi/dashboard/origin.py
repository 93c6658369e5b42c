"""Whether a request that changes something comes from the dashboard's own page.

The API has no authentication, so whoever reaches it may act; a browser that reaches it must not
be made to act by a page of somebody else. Two ways are closed:

1. A page of another site posts here. The browser says so itself, by `Sec-Fetch-Site` and `Origin`,
   which scripts cannot set. A request without either comes from no browser of today and is refused
   too: for programs there is `python -m vqueue`.
2. A page of another site has its own name resolved to this address (DNS rebinding), and is then of
   the same origin. So the name in `Host` must be one that nobody else can own: an address,
   localhost, or a name of the settings.
"""

from __future__ import annotations

from http import HTTPStatus
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from vapi.problems import Problem


def require_own_page(headers: Headers, *, host_names: frozenset[str]) -> None:
    """Return when the request comes from a page of this server; raises the 403 problem else."""
    host = headers.get("host", "").lower()
    if not _is_ours(host, host_names):
        raise Problem(
            HTTPStatus.FORBIDDEN,
            f"Actions are not taken under the name {host[:100]}: open the dashboard at an "
            "address or at localhost, or add the name to VAPI_DASHBOARD_HOSTS.",
        )
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    is_told = site is not None or origin is not None
    is_same_site = site in (None, "same-origin")
    # not the scheme: behind a proxy that ends TLS it is another one
    is_same_origin = origin is None or origin.lower().partition("://")[2] == host
    if not (is_told and is_same_site and is_same_origin):
        raise Problem(
            HTTPStatus.FORBIDDEN,
            "Actions are taken from the dashboard's own page only, and this request does not "
            "say that it comes from there. A proxy in front must pass the Host header on.",
        )


def _is_ours(host: str, host_names: frozenset[str]) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if name == "localhost" or name in host_names:
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
