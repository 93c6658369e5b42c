from pathlib import Path
from typing import Any

import pytest

from vworker.errors import ErrorCode, InvalidPayload
from vworker.media.encoding import Encoding, SegmentType
from vworker.media.profiles import ProfileError, load_profiles, read_profiles
from vworker.media.settings import MediaSettings


def test_a_profile_is_the_default_with_changes() -> None:
    default = Encoding(crf=30, segment_s=4)
    read = read_profiles(
        '[small]\npreset = "slow"\nsegments = "fmp4"\nladder = { 240 = 300_000 }\n', default
    )
    assert read == {
        "small": Encoding(
            crf=30,
            segment_s=4,
            preset="slow",
            segments=SegmentType.FMP4,
            ladder={240: 300_000},
        )
    }


def test_the_built_in_profiles_can_be_used_and_replaced(tmp_path: Path) -> None:
    built_in = load_profiles(Encoding(), None)
    assert {"fast", "quality", "cmaf", "speech"} <= set(built_in)
    path = tmp_path / "profiles.toml"
    path.write_text("[fast]\ncrf = 40\n[mine]\ncrf = 41\n")
    changed = load_profiles(Encoding(), path)
    assert changed["fast"] == Encoding(crf=40)
    assert set(changed) == {*built_in, "mine"}


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("[small", "not TOML"),
        ("small = 3", "profile small must be a table"),
        ("[Small]", "'Small' needs another name"),
        ("[default]", "'default' needs another name"),
        ("[small]\nspeed = 3", "unknown fields speed; it may have audio_bitrate, crf"),
        ("[small]\ncrf = 0", "profile small: crf must be 1 to 51, found 0"),
        ("[small]\ncrf = true", "crf must be a whole number"),
        ('[small]\ncrf = "23"', "crf must be a whole number"),
        ('[small]\npreset = "warp"', "preset must be one of ultrafast"),
        ("[small]\nladder = {}", "ladder must have a rung"),
        ("[small]\nladder = { 361 = 800_000 }", "short side must be even, found 361"),
        ("[small]\nladder = { 360 = 10 }", "bitrate must be 50000 to"),
        (
            "[small]\nladder = { 720 = 800_000 }",
            "smallest short side must be at most 432, found 720",
        ),
        ("[small]\nladder = 3", "profile small"),
        ("[small]\nladder = { tall = 800_000 }", "profile small"),
        ("[small]\nsegment_s = 5", "multiple of keyframe_s"),
        ('[small]\nsegments = "mkv"', "profile small"),
        ("[small]\nloudness_lufs = 3", "loudness_lufs must be -70 to -5"),
        ('[small]\nloudness_lufs = "loud"', "profile small"),
    ],
)
def test_a_profile_that_cannot_be_used_is_named(text: str, finding: str) -> None:
    with pytest.raises(ProfileError) as refusal:
        read_profiles(text, Encoding())
    assert finding in str(refusal.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match=r"absent\.toml cannot be read"):
        load_profiles(Encoding(), tmp_path / "absent.toml")


@pytest.mark.parametrize("name", [None, "default"])
def test_a_job_without_a_profile_gets_the_workers_own_encoding(name: str | None) -> None:
    settings = MediaSettings(encoding=Encoding(crf=30), profiles={"mine": Encoding(crf=40)})
    assert settings.encoding_of(name).crf == 30
    assert settings.encoding_of("mine").crf == 40


def test_a_profile_that_no_one_knows_is_a_final_error_that_names_the_known_ones() -> None:
    settings = MediaSettings(profiles={"mine": Encoding()})
    with pytest.raises(InvalidPayload) as refusal:
        settings.encoding_of("yours")
    assert refusal.value.message == "there is no profile 'yours'; the worker has default, mine"
    assert refusal.value.code is ErrorCode.INVALID_REQUEST
    assert not refusal.value.retryable


@pytest.mark.parametrize("value", [float("nan"), 1.5, None, "6"])
def test_an_encoding_refuses_what_is_no_whole_number(value: Any) -> None:
    with pytest.raises(ValueError, match="segment_s must be a whole number"):
        Encoding(segment_s=value)
