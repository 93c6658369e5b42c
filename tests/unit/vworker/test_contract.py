import json
from typing import Any

import pytest

from vworker.contract import (
    PhaseTimings,
    TranscodeRequest,
    TranscodeResult,
    output_prefix,
    upload_key,
)
from vworker.errors import RETRYABLE_CODES, ErrorCode, InvalidPayload, TranscodeError
from vworker.renditions import AudioRendition, Rendition, SourceSummary, SubtitleRendition

RESULT = TranscodeResult(
    playlist="videos/a/1-w/master.m3u8",
    renditions=(
        Rendition(
            name="360p",
            width=640,
            height=360,
            frame_rate=29.97,
            codecs="avc1.64001e",
            bandwidth=800_000,
            average_bandwidth=700_000,
            segments=2,
            size_bytes=175_000,
            duration_s=2.0,
            playlist="videos/a/1-w/360p/index.m3u8",
        ),
    ),
    audio=AudioRendition(
        name="eng",
        language="eng",
        codecs="mp4a.40.2",
        bandwidth=140_000,
        average_bandwidth=130_000,
        segments=2,
        size_bytes=32_000,
        duration_s=2.0,
        playlist="videos/a/1-w/audio/index.m3u8",
    ),
    source=SourceSummary(
        size_bytes=1,
        container="mov",
        duration_s=None,
        width=640,
        height=360,
        frame_rate=29.97,
        video_codec="h264",
        audio_codec="aac",
    ),
    subtitles=(
        SubtitleRendition(
            name="German",
            language="de",
            forced=True,
            segments=2,
            size_bytes=300,
            playlist="videos/a/1-w/subtitles/index.m3u8",
        ),
    ),
    size_bytes=207_300,
    timings=PhaseTimings(download_s=0.1, probe_s=0.1, encode_s=1.5, publish_s=0.1),
)


def test_a_request_survives_the_way_through_json() -> None:
    request = TranscodeRequest(video_id="01H-x_Y", source="uploads/01H-x_Y")
    assert TranscodeRequest.from_json(json.loads(json.dumps(request.to_json()))) == request


def test_a_request_with_a_profile_survives_too() -> None:
    request = TranscodeRequest(video_id="a", source="b", profile="my-own_1")
    assert TranscodeRequest.from_json(json.loads(json.dumps(request.to_json()))) == request


@pytest.mark.parametrize("profile", ["", "A", "a b", "-i $(x)", "a\n", "ä", "a" * 65])
def test_a_profile_is_a_plain_name(profile: str) -> None:
    with pytest.raises(InvalidPayload, match="profile must be 1 to 64 characters"):
        TranscodeRequest(video_id="a", source="b", profile=profile)


def test_a_result_survives_the_way_through_json() -> None:
    assert TranscodeResult.from_json(json.loads(json.dumps(RESULT.to_json()))) == RESULT


def test_a_silent_result_survives_too() -> None:
    data = RESULT.to_json() | {"audio": None}
    assert TranscodeResult.from_json(data).audio is None


def test_a_result_of_a_newer_worker_can_be_read() -> None:
    assert TranscodeResult.from_json(RESULT.to_json() | {"trailer": "x.jpg"}) == RESULT


@pytest.mark.parametrize(
    ("data", "finding"),
    [
        (None, "must be a JSON object, found null"),
        ([], "must be a JSON object, found list"),
        ({"source": "a"}, "lacks the field video_id"),
        ({"video_id": "a"}, "lacks the field source"),
        ({"video_id": 7, "source": "a"}, "video_id must be a string, found 7"),
        ({"video_id": "a", "source": {"$ne": ""}}, "source must be a string, found dict"),
        ({"video_id": "a", "source": "b", "preset": "x"}, "unknown fields preset"),
        ({"video_id": "../b", "source": "a"}, "video_id must be 1 to 128 characters"),
        ({"video_id": "", "source": "a"}, "video_id must be 1 to 128 characters"),
        ({"video_id": "a\n", "source": "a"}, "video_id must be 1 to 128 characters"),
        ({"video_id": "a" * 129, "source": "a"}, "video_id must be 1 to 128 characters"),
        ({"video_id": "a", "source": ""}, "1 to 1024 bytes"),
        ({"video_id": "a", "source": "ä" * 600}, "1 to 1024 bytes"),
        ({"video_id": "a", "source": "a\x00b"}, "control characters"),
        ({"video_id": "a", "source": "/a"}, 'must not start with "/"'),
        ({"video_id": "a", "source": "x/../other"}, '".."'),
    ],
)
def test_an_unusable_request_is_refused_by_name(data: Any, finding: str) -> None:
    with pytest.raises(InvalidPayload) as refusal:
        TranscodeRequest.from_json(data)
    assert finding in refusal.value.message
    assert not refusal.value.retryable


@pytest.mark.parametrize("source", ["--help.mp4", "$(reboot).mp4", "a b%d:c.mp4", "ü/日本.mov"])
def test_a_key_with_odd_characters_is_a_key(source: str) -> None:
    assert TranscodeRequest(video_id="a", source=source).source == source


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        ({"size_bytes": -1}, "size_bytes must be an integer of at least 0, found -1"),
        ({"size_bytes": True}, "size_bytes must be an integer"),
        ({"size_bytes": 1.5}, "size_bytes must be an integer"),
        ({"renditions": {}}, "renditions must be an array"),
        ({"renditions": [1]}, "rendition must be a JSON object"),
        ({"timings": {}}, "timings lacks the field download_s"),
        ({"playlist": None}, "lacks the field playlist"),
    ],
)
def test_a_damaged_result_is_refused_by_name(change: dict[str, Any], finding: str) -> None:
    with pytest.raises(InvalidPayload) as refusal:
        TranscodeResult.from_json(RESULT.to_json() | change)
    assert finding in refusal.value.message


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -0.5, "1"])
def test_a_duration_that_is_no_length_of_time_is_refused(number: Any) -> None:
    source = RESULT.to_json()["source"] | {"duration_s": number}
    with pytest.raises(InvalidPayload, match="duration_s must be a number"):
        SourceSummary.from_json(source)


def test_prefixes_of_two_consumers_of_one_entry_differ() -> None:
    assert output_prefix("v", "17-0", "a") == "videos/v/17-0-a/"
    assert output_prefix("v", "17-0", "a") != output_prefix("v", "17-0", "b")


def test_a_consumer_name_cannot_leave_its_prefix() -> None:
    assert output_prefix("v", "17-0", "../x/ä#?") == "videos/v/17-0-.._x____/"


def test_keys_are_made_of_valid_ids_only() -> None:
    assert upload_key("v") == "uploads/v"
    with pytest.raises(InvalidPayload):
        upload_key("v/../w")
    with pytest.raises(InvalidPayload):
        output_prefix("v/w", "1-0", "c")


def test_only_failures_that_may_pass_are_retryable() -> None:
    final = set(ErrorCode) - RETRYABLE_CODES
    assert final == {
        ErrorCode.INVALID_REQUEST,
        ErrorCode.SOURCE_NOT_FOUND,
        ErrorCode.SOURCE_EMPTY,
        ErrorCode.NOT_A_VIDEO,
        ErrorCode.NO_VIDEO_STREAM,
        ErrorCode.SOURCE_TRUNCATED,
        ErrorCode.SOURCE_OVER_LIMIT,
        ErrorCode.UNSUPPORTED_FORMAT,
        ErrorCode.UNSUPPORTED_CODEC,
        ErrorCode.ENCODE_FAILED,
        ErrorCode.TIME_LIMIT,
        ErrorCode.RESOURCE_LIMIT,
    }
    assert TranscodeError(ErrorCode.STALLED, "x").retryable
    assert not TranscodeError(ErrorCode.NOT_A_VIDEO, "x").retryable
