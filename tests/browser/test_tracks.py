"""A finished video in fragmented MP4 with two sounds and subtitles, in Chromium with hls.js."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.api_client import ApiClient
from devstack.process import ChildProcess
from tests.browser.devtools import Browser, Page
from tests.support.api import Api
from tests.support.clips import Clips

_VIDEO = "document.getElementById('video')"
#: The first text track is the storyboard's.
_TEXT = f"[...{_VIDEO}.textTracks].find(({{kind}}) => kind === 'subtitles')"
_SOUND = "document.getElementById('sound')"
#: A meter of what is heard, in Hz: the loudest band of the spectrum.
_LISTEN = (
    "(() => {"
    "const context = new AudioContext();"
    "window.meter = new AnalyserNode(context, {fftSize: 4096, smoothingTimeConstant: 0});"
    f"context.createMediaElementSource({_VIDEO}).connect(window.meter);"
    "window.meter.connect(context.destination);"
    "window.pitch = () => {"
    "const bands = new Float32Array(window.meter.frequencyBinCount);"
    "window.meter.getFloatFrequencyData(bands);"
    "return bands.indexOf(Math.max(...bands)) * context.sampleRate / 4096;"
    "};"
    "return context.resume();"
    "})()"
)


@pytest.fixture
def watched(
    api: Api,
    environ: dict[str, str],
    clips: Clips,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """The URL of the page of such a video."""
    log: Path = tmp_path_factory.mktemp("worker") / "worker.log"
    worker = ChildProcess(
        [sys.executable, "-m", "vworker"],
        log_path=log,
        environ=environ | {"WORKER_SEGMENT_TYPE": "fmp4"},
    )
    try:
        client = ApiClient("127.0.0.1", api.port)
        video_id = client.upload(clips.two_sounds())
        last = list(client.states(video_id))[-1]
        video = client.video(video_id)
        assert last.status == "completed", json.dumps(video, indent=1)
        yield api.url + str(video["links"]["watch"])
    finally:
        worker.stop(20)


async def hears(page: Page, hertz: int) -> None:
    """Return when the sound that is heard has about this pitch."""
    await page.until(f"Math.abs(window.pitch() - {hertz}) < 30")


async def test_sounds_are_switched_and_subtitles_shown_wherever_one_seeks(
    browser: Browser, watched: str
) -> None:
    page = await browser.open(watched)
    await page.until(f"{_SOUND}.options.length === 2")
    names = await page.evaluate(f"[...{_SOUND}.options].map(({{text}}) => text)")
    assert names == ["English", "English: Commentary"]
    await page.evaluate(f"{_VIDEO}.play()")
    await page.evaluate(_LISTEN)
    await hears(page, 440)

    await page.evaluate(f"{_VIDEO}.currentTime = 8")
    await page.until(f"!{_VIDEO}.seeking && {_VIDEO}.currentTime > 8.2")
    await page.evaluate(
        f"{_SOUND}.value = '1'; {_SOUND}.dispatchEvent(new Event('change')); undefined"
    )
    await hears(page, 880)
    assert any("/audio-2/seg_" in url for url in page.answers)

    await page.evaluate(f"{_TEXT}.mode = 'showing'; {_VIDEO}.currentTime = 2")
    await page.until(f"{_TEXT}.activeCues?.[0]?.text === 'hello <i>world</i>'")
    await page.until(f"!{_VIDEO}.seeking && {_VIDEO}.currentTime > 2.2")
    await hears(page, 880)
    assert await page.evaluate(f"{_TEXT}.language") == "de"
    assert any(url.partition("?")[0].endswith(".m4s") for url in page.answers)
    assert await page.evaluate("document.getElementById('problem').textContent") == ""
    assert page.complaints == []
