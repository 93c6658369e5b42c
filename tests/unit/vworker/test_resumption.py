"""Which attempts make the same segments."""

from dataclasses import replace

import pytest

from tests.support.plans import INFO, PLAN, planned
from vworker.media.encoding import Encoding
from vworker.media.settings import MediaSettings
from vworker.media.source import AudioStream
from vworker.resumption import state_of

SETTINGS = MediaSettings()
STATE = state_of(PLAN, SETTINGS, source_etag="e", profile=None)


def test_workers_may_have_another_ffmpeg_and_other_threads() -> None:
    other = replace(SETTINGS, ffmpeg="/opt/ffmpeg", encoder_threads=3)
    assert state_of(PLAN, other, source_etag="e", profile=None) == STATE


@pytest.mark.parametrize(
    "encoding",
    [
        Encoding(crf=30),
        Encoding(preset="slow"),
        Encoding(segment_s=4),
        Encoding(ladder={360: 800_000}),
    ],
)
def test_another_encoding_is_another_state(encoding: Encoding) -> None:
    other = state_of(planned(INFO, encoding), SETTINGS, source_etag="e", profile=None)
    assert other != STATE


def test_another_source_is_another_state() -> None:
    assert state_of(PLAN, SETTINGS, source_etag="f", profile=None) != STATE


def test_attempts_that_differ_in_their_sounds_make_the_same_pictures() -> None:
    sounds = (AudioStream(index=2, codec="aac", language="eng"),)
    other = planned(replace(INFO, sounds=sounds), Encoding(audio_bitrate=64_000))
    assert state_of(other, SETTINGS, source_etag="e", profile=None) == STATE
