"""The playback page of a video that is still being encoded."""

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

_VIDEO = "document.getElementById('video')"
_STATUS = "document.getElementById('status').textContent"


@pytest.fixture
def early_worker(api: Api, environ: dict[str, str], tmp_path: Path) -> Iterator[ChildProcess]:
    """A worker whose videos can be played before they are finished."""
    early = {"WORKER_EARLY_PLAYBACK": "on", "WORKER_SEGMENT_SECONDS": "2"}
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
