"""The dashboard in Chromium: what it shows, that it acts, that texts of others stay texts."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.browser.devtools import Browser, Page
from tests.support.api import Api, running_api
from vqueue import Queue
from vworker.contract import QUEUE_NAME

WILD = "<img src=x onerror=alert(1)><script>alert(2)</script>"
_TEXT = "document.body.innerText"


@pytest.fixture(scope="module")
def acting(environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """An API whose dashboard acts."""
    own = {"VAPI_DASHBOARD_ACTIONS": "on"}
    with running_api(environ | own, tmp_path_factory.mktemp("acting")) as api:
        yield api


@pytest.fixture
async def queue(acting: Api, environ: dict[str, str]) -> AsyncIterator[Queue]:
    """The queue that the dashboard shows; empty."""
    async with Queue(QUEUE_NAME, environ["REDIS_URL"]) as queue:
        await queue.obliterate(force=True)
        yield queue


def address(api: Api, *parts: str) -> str:
    return f"{api.url}/dashboard#/{'/'.join((QUEUE_NAME, *parts))}"


async def press(page: Page, label: str) -> None:
    """Press the one button of this label that is shown, when it is there."""
    found = f"[...document.querySelectorAll('button')].find(b => b.innerText === '{label}')"
    await page.until(f"{found}?.checkVisibility()")
    await page.evaluate(f"{found}.click()")


async def test_texts_of_others_are_shown_and_are_no_markup(
    browser: Browser, acting: Api, queue: Queue
) -> None:
    job = await queue.add(WILD, {WILD: WILD}, delay=600)
    await queue.add_job_log(job.id, WILD)
    page = await browser.open(address(acting, "delayed"))
    await page.until("document.querySelectorAll('#rows tr').length === 1")
    assert WILD in await page.evaluate("document.getElementById('rows').textContent")

    await page.evaluate("document.querySelector('#rows a').click()")
    await page.until("document.getElementById('log').textContent !== ''")
    for part in ("fields", "texts", "log"):
        assert WILD in await page.evaluate(f"document.getElementById('{part}').textContent")
    assert await page.evaluate("document.querySelectorAll('main img, main script').length") == 0
    assert page.complaints == []


async def test_a_job_is_cancelled_and_removed_after_a_question_and_the_page_follows(
    browser: Browser, acting: Api, queue: Queue
) -> None:
    job = await queue.add("x", {}, delay=600)
    page = await browser.open(address(acting, "job", job.id))
    await press(page, "Cancel")
    await press(page, "No")
    assert (await queue.get_job_counts())["delayed"] == 1  # type: ignore[index]
    await press(page, "Cancel")
    await press(page, "Yes")
    await page.until(f"{_TEXT}.includes('failed 1') && {_TEXT}.includes('is cancelled')")
    await press(page, "Remove")
    await press(page, "Yes")
    await page.until(f"{_TEXT}.includes('failed 0') && {_TEXT}.includes('is removed')")
    assert page.complaints == []


async def test_a_queue_is_paused_and_a_narrow_screen_needs_no_scrolling_aside(
    browser: Browser, acting: Api, queue: Queue
) -> None:
    job = await queue.add("x", {"long": "y" * 500})
    page = await browser.open(address(acting, "waiting"))
    await browser.call(
        "Emulation.setDeviceMetricsOverride",
        session=page.session,
        width=360,
        height=640,
        deviceScaleFactor=1,
        mobile=True,
    )
    await press(page, "Pause")
    await press(page, "Yes")
    await page.until("document.getElementById('standing').textContent === 'Paused'")
    assert await queue.is_paused()
    for parts in (("waiting",), ("job", job.id)):
        await page.evaluate(f"location.hash = '#/{'/'.join((QUEUE_NAME, *parts))}'")
        await page.until(f"{_TEXT}.includes('{job.id}')")
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.complaints == []
