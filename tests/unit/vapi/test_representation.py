"""A document as the API tells it."""

from datetime import UTC, datetime
from typing import Any

from vapi.representation import output_prefix_of, playlist_url, state_json, video_json
from vworker.catalog import new_document

PREFIX = "videos/v1/17-worker/"


def completed(**fields: Any) -> dict[str, Any]:
    return {
        **new_document("v1", "uploads/v1"),
        "status": "completed",
        "progress": 100,
        "attempts": 1,
        "playlist": f"{PREFIX}master.m3u8",
        "renditions": [{"name": "360p", "playlist": f"{PREFIX}360p/index.m3u8"}],
        "audio": {"name": "audio", "playlist": f"{PREFIX}audio/index.m3u8"},
        "audio_tracks": [{"name": "audio", "playlist": f"{PREFIX}audio/index.m3u8"}],
        "subtitles": [{"name": "German", "playlist": f"{PREFIX}subtitles/index.m3u8"}],
        "poster": f"{PREFIX}poster.jpg",
        "storyboard": f"{PREFIX}storyboard/index.vtt",
        "finished_at": datetime(2026, 1, 2, 3, 4, 5, 678_000, UTC),
        **fields,
    }


def test_keys_of_playlists_become_paths() -> None:
    video = video_json(completed())
    assert video["playlist"] == "/v1/videos/v1/hls/master.m3u8"
    assert video["links"]["playlist"] == video["playlist"]
    assert video["renditions"] == [
        {"name": "360p", "playlist": "/v1/videos/v1/hls/360p/index.m3u8"}
    ]
    assert video["audio"]["playlist"] == "/v1/videos/v1/hls/audio/index.m3u8"
    assert video["audio_tracks"] == [video["audio"]]
    assert video["subtitles"][0]["playlist"] == "/v1/videos/v1/hls/subtitles/index.m3u8"
    assert video["poster"] == "/v1/videos/v1/hls/poster.jpg"
    assert video["storyboard"] == "/v1/videos/v1/hls/storyboard/index.vtt"
    assert PREFIX not in str(video)


def test_a_new_video_has_every_field() -> None:
    video = video_json(new_document("v1", "a.mp4"))
    assert video.keys() == video_json(completed()).keys()
    assert video["status"] == "queued"
    assert video["renditions"] == []
    assert video["playlist"] is video["audio"] is video["finished_at"] is None
    assert video["poster"] is video["storyboard"] is None


def test_times_are_rfc_3339_in_utc() -> None:
    assert video_json(completed())["finished_at"] == "2026-01-02T03:04:05.678Z"


def test_only_a_completed_video_can_be_played() -> None:
    assert output_prefix_of(completed()) == PREFIX
    for document in (completed(status="processing"), completed(playlist=None)):
        assert output_prefix_of(document) is None
        assert playlist_url(document) is None


def test_an_id_of_any_characters_is_quoted_in_paths() -> None:
    document = completed(_id="a/b c")
    assert state_json(document)["playlist"] == "/v1/videos/a%2Fb%20c/hls/master.m3u8"
    links = video_json(document)["links"]
    assert links["self"] == "/v1/videos/a%2Fb%20c"
    assert links["watch"] == "/watch/a%2Fb%20c"


def test_a_state_without_progress_counts_from_zero() -> None:
    state = state_json({"_id": "v1", "status": "queued"})
    assert (state["progress"], state["attempts"]) == (0, 0)
