"""A finished video in Chromium, with hls.js on the API's own page."""

from urllib.parse import urlsplit

import pytest

from tests.browser.devtools import Browser, Page

_VIDEO = "document.getElementById('video')"
_OFFERED = "document.querySelectorAll('#quality option').length > 1"


@pytest.fixture
async def page(browser: Browser, watched: str) -> Page:
    """The page, when it knows which renditions there are."""
    page = await browser.open(watched)
    await page.until(_OFFERED)
    return page


async def play(page: Page) -> None:
    """Press play; return when a second more has been played."""
    start = await page.evaluate(f"{_VIDEO}.play().then(() => {_VIDEO}.currentTime)")
    await page.until(f"{_VIDEO}.currentTime >= {start} + 1")


async def seek(page: Page, seconds: float) -> None:
    """Move to a time; return when the picture there is shown and playback has gone on from it."""
    await page.evaluate(f"{_VIDEO}.currentTime = {seconds}")
    await page.until(
        f"!{_VIDEO}.seeking && {_VIDEO}.currentTime > {seconds} + 0.2 && "
        f"{_VIDEO}.currentTime < {seconds} + 5"
    )


async def corner(page: Page) -> tuple[int, int, int]:
    """Red, green and blue of the picture shown, near its upper left corner."""
    red, green, blue = await page.evaluate(
        "(() => {"
        "const canvas = new OffscreenCanvas(1, 1).getContext('2d');"
        f"canvas.drawImage({_VIDEO}, 20, 20, 1, 1, 0, 0, 1, 1);"
        "return Array.from(canvas.getImageData(0, 0, 1, 1).data.slice(0, 3));"
        "})()"
    )
    return red, green, blue


async def assert_nothing_went_wrong(page: Page) -> None:
    assert await page.evaluate("document.getElementById('problem').textContent") == ""
    assert await page.evaluate(f"{_VIDEO}.error") is None
    assert page.complaints == []
    assert {url: got for url, got in page.answers.items() if got[0] >= 400} == {}


async def test_a_video_plays_with_pictures_and_sound(page: Page) -> None:
    await play(page)

    assert await page.evaluate(f"{_VIDEO}.getVideoPlaybackQuality().totalVideoFrames") >= 15
    assert await page.evaluate(f"{_VIDEO}.webkitAudioDecodedByteCount") > 0
    assert await page.evaluate(f"{_VIDEO}.duration") == pytest.approx(14.5, abs=0.1)
    assert any("/audio/seg_" in url for url in page.answers)
    await assert_nothing_went_wrong(page)


async def test_seeking_shows_the_picture_that_belongs_there(page: Page) -> None:
    await play(page)
    await seek(page, 9.0)
    red, green, _ = await corner(page)
    assert green > 100 > red, "green from 6 s on"

    await seek(page, 1.0)
    red, green, _ = await corner(page)
    assert red > 100 > green, "red up to 6 s"
    await assert_nothing_went_wrong(page)


async def test_a_video_plays_to_its_end(page: Page) -> None:
    await play(page)
    await seek(page, 13.0)
    await page.until(f"{_VIDEO}.ended")
    assert await page.evaluate(f"{_VIDEO}.currentTime") == pytest.approx(14.5, abs=0.1)
    await assert_nothing_went_wrong(page)


async def test_every_rung_can_be_chosen_while_it_plays(page: Page) -> None:
    await play(page)
    frames = 0
    for side in (360, 480, 360):
        await page.evaluate(
            "(() => {"
            "const select = document.getElementById('quality');"
            f"const option = [...select.options].find(({{text}}) => text.startsWith('{side}p'));"
            "select.value = option.value;"
            "select.dispatchEvent(new Event('change'));"
            "})()"
        )
        await page.until(f"{_VIDEO}.videoHeight === {side}")
        assert await page.evaluate("document.getElementById('playing').textContent") == (
            f"Playing {side}p"
        )
        await play(page)
        shown = await page.evaluate(f"{_VIDEO}.getVideoPlaybackQuality().totalVideoFrames")
        assert shown > frames
        frames = shown
        assert any(f"/{side}p/seg_" in url for url in page.answers)
    await assert_nothing_went_wrong(page)


async def test_poster_and_storyboard_are_shown_and_a_scene_leads_to_its_time(page: Page) -> None:
    width = await page.evaluate(
        "(async () => {"
        f"const image = new Image(); image.src = {_VIDEO}.poster;"
        "await image.decode(); return image.naturalWidth;"
        "})()"
    )
    assert width == 854
    await page.until("document.querySelectorAll('#storyboard button').length >= 14")
    await page.until(
        "performance.getEntriesByType('resource').some(({name}) => name.includes('/sprite_'))"
    )
    pictures = {
        urlsplit(url).path.rpartition("/")[2]: got
        for url, got in page.answers.items()
        if url.endswith(".jpg")
    }
    assert pictures == {"poster.jpg": (200, "image/jpeg"), "sprite_000.jpg": (200, "image/jpeg")}

    await page.evaluate("document.querySelectorAll('#storyboard button')[8].click()")
    await page.until(f"!{_VIDEO}.seeking && {_VIDEO}.currentTime === 8")
    assert await page.evaluate(f"{_VIDEO}.paused")
    await assert_nothing_went_wrong(page)
