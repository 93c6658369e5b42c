"""`/watch/{id}`: the playback page and its files."""

import httpx
import pytest


async def test_the_page_lets_no_script_run_but_its_own(http: httpx.AsyncClient) -> None:
    page = await http.get("/watch/any")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["x-content-type-options"] == "nosniff"
    policy = dict(
        directive.split(" ", 1) for directive in page.headers["content-security-policy"].split("; ")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert policy["style-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert "<script>" not in page.text
    assert "style=" not in page.text


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("player.js", "text/javascript; charset=utf-8"),
        ("storyboard.js", "text/javascript; charset=utf-8"),
        ("vendor/hls.js-1.7.4/hls.min.mjs", "text/javascript; charset=utf-8"),
        ("player.css", "text/css; charset=utf-8"),
    ],
)
async def test_a_file_of_the_page_has_the_type_that_browsers_ask_for(
    http: httpx.AsyncClient, path: str, media_type: str
) -> None:
    file = await http.get(f"/player/{path}")
    assert file.status_code == 200
    assert file.headers["content-type"] == media_type


@pytest.mark.parametrize("path", ["", "index.html", "../watch.html", "../app.py", "%2e%2e/app.py"])
async def test_nothing_else_is_served(http: httpx.AsyncClient, path: str) -> None:
    assert (await http.get(f"/player/{path}")).status_code == 404
