"""The playback page of a video that is not finished yet, failed, or was never there."""

import pytest

from devstack.api_client import ApiClient
from tests.browser.devtools import Browser
from tests.support.api import Api
from tests.support.clips import Clips

_PROBLEM = "document.getElementById('problem')"


@pytest.fixture
def client(api: Api) -> ApiClient:
    return ApiClient("127.0.0.1", api.port)


async def test_a_page_opened_too_early_plays_as_soon_as_the_video_is_there(
    browser: Browser, api: Api, client: ApiClient, clips: Clips, request: pytest.FixtureRequest
) -> None:
    video_id = client.upload(clips.small())
    page = await browser.open(f"{api.url}/watch/{video_id}")
    await page.until("document.getElementById('status').textContent.includes('queued')")
    request.getfixturevalue("worker")
    await page.until("document.getElementById('video').videoHeight === 182", deadline=60)
    assert page.complaints == []


async def test_a_failed_video_says_why(
    browser: Browser, api: Api, client: ApiClient, clips: Clips, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue("worker")
    video_id = client.upload(clips.holding("text.mp4", b"no video at all"))
    page = await browser.open(f"{api.url}/watch/{video_id}")
    await page.until(f"!{_PROBLEM}.hidden", deadline=60)
    message = client.video(video_id)["error"]["message"]
    assert await page.evaluate(f"{_PROBLEM}.textContent") == message


async def test_what_others_wrote_is_shown_as_text(browser: Browser, api: Api) -> None:
    wild = "<img src=x onerror=alert(1)>"
    page = await browser.open(f"{api.url}/watch/%3Cimg%20src=x%20onerror=alert(1)%3E")
    await page.until(f"!{_PROBLEM}.hidden")
    assert await page.evaluate(f"{_PROBLEM}.textContent") == f"There is no video {wild}."
    assert await page.evaluate("document.querySelectorAll('main img').length") == 0
