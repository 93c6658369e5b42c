"""The playback page of a video that is still being encoded."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.api_client import ApiClient
from devstack.process import ChildProcess
from tests.browser.devtools import Browser
from tests.support.api import Api
from tests.support.clips import Clips
from tests.support.processes import descendants
from tests.support.waiting import until

_VIDEO = "document.getElementById('video')"
_STATUS = "document.getElementById('status').textContent"


@pytest.fixture(params=["ts"])
def early_worker(
    request: pytest.FixtureRequest, api: Api, environ: dict[str, str], tmp_path: Path
) -> Iterator[ChildProcess]:
    """A worker whose videos can be played before they are finished."""
    early = {
        "WORKER_EARLY_PLAYBACK": "on",
        "WORKER_SEGMENT_SECONDS": "1",
        "WORKER_KEYFRAME_SECONDS": "1",
        "WORKER_SEGMENT_TYPE": request.param,
    }
    process = ChildProcess(
        [sys.executable, "-m", "vworker"],
        log_path=tmp_path / "worker.log",
        environ=environ | early | {"WORKER_PRESET": "slow"},
        death_signal=signal.SIGTERM,
    )
    yield process
    process.stop(20)


async def test_a_video_plays_while_it_is_encoded_and_then_to_its_end(
    browser: Browser, api: Api, early_worker: ChildProcess, clips: Clips
) -> None:
    video_id = ApiClient("127.0.0.1", api.port).upload(clips.standard())
    page = await browser.open(f"{api.url}/watch/{video_id}")
    await page.until(f"{_VIDEO}.videoHeight > 0", deadline=60)
    assert "processing" in await page.evaluate(_STATUS)
    start = await page.evaluate(f"{_VIDEO}.play().then(() => {_VIDEO}.currentTime)")
    assert start < 1
    await page.until(f"{_VIDEO}.currentTime >= 1")

    await page.until(f"{_STATUS}.includes('completed')", deadline=90)
    await page.until("document.querySelectorAll('#storyboard button').length >= 14")
    await page.until(f"{_VIDEO}.ended", deadline=60)
    assert await page.evaluate(f"{_VIDEO}.currentTime") == pytest.approx(14.5, abs=0.1)
    assert page.complaints == []


@pytest.mark.parametrize("early_worker", ["ts", "fmp4"], indirect=True)
async def test_a_video_that_is_half_encoded_plays_from_its_beginning(
    browser: Browser, api: Api, early_worker: ChildProcess, clips: Clips
) -> None:
    client = ApiClient("127.0.0.1", api.port)
    video_id = client.upload(clips.standard())
    playlist = f"/v1/videos/{video_id}/hls/480p/index.m3u8"
    # More than the three segments behind which players of live videos begin.
    await until(lambda: client.get(playlist)[1].count(b"#EXTINF") >= 5, what="half", deadline=60)
    encoders = descendants(early_worker.pid, "ffmpeg")
    assert encoders
    for encoder in encoders:
        os.kill(encoder, signal.SIGSTOP)
    try:
        page = await browser.open(f"{api.url}/watch/{video_id}")
        await page.until(f"{_VIDEO}.videoHeight > 0", deadline=60)
        assert "processing" in await page.evaluate(_STATUS)
        start = await page.evaluate(f"{_VIDEO}.play().then(() => {_VIDEO}.currentTime)")
        assert start < 1
        await page.until(f"{_VIDEO}.currentTime >= 1")
        assert page.complaints == []
    finally:
        for encoder in encoders:
            os.kill(encoder, signal.SIGCONT)
