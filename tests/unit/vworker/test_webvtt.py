import pytest

from vworker.media.webvtt import Cue, cut, read_webvtt

HEAD = "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:127920,LOCAL:00:00:00.000\n"


def cue(start_s: float, end_s: float, text: str = "x", settings: str = "") -> Cue:
    return Cue(start_s=start_s, end_s=end_s, settings=settings, text=text)


def test_cues_as_ffmpeg_writes_them_are_read() -> None:
    text = (
        "WEBVTT\n\n00:00.500 --> 00:01.500\nHello <i>world</i>\n\n"
        "01:00:01.800 --> 01:00:02.900 align:left line:10%\ntwo\nlines & more\n"
    )
    assert read_webvtt(text) == [
        cue(0.5, 1.5, "Hello <i>world</i>"),
        cue(3601.8, 3602.9, "two\nlines & more", "align:left line:10%"),
    ]


def test_identifiers_and_line_ends_of_any_kind_are_taken() -> None:
    text = "WEBVTT\r\n\r\nname\r\n00:02.000 --> 00:03.000\r\nb\r\n\r\n00:00.000 --> 00:01.000\r\na"
    assert [found.text for found in read_webvtt(text)] == ["a", "b"]


@pytest.mark.parametrize(
    "block",
    [
        "NOTE a comment\nx",
        "STYLE\n::cue { color: red }",
        "00:01.000 --> 00:01.000\nno time",
        "00:02.000 --> 00:01.000\nbackwards",
        "00:01.000 --> 00:02.000",
        "00:61.000 --> 00:62.000\nno such time",
        "soon --> later\nx",
        "",
    ],
)
def test_what_is_no_cue_is_passed_over(block: str) -> None:
    assert read_webvtt(f"WEBVTT\n\n{block}\n\n00:00.000 --> 00:01.000\nkept\n") == [
        cue(0, 1, "kept")
    ]


def test_text_cannot_pretend_to_be_times() -> None:
    found = read_webvtt("WEBVTT\n\n00:00.000 --> 00:01.000\na\n00:00.000 --> 00:09.000\n")
    assert found == [cue(0, 1, "a\n00:00.000 --&gt; 00:09.000")]


def test_a_cue_over_a_boundary_is_in_both_segments() -> None:
    segments = cut(
        [cue(0.5, 1.5, "a"), cue(1.0, 2.0, "b"), cue(5.5, 7.0, "c")],
        [6.0, 4.0],
        clock_s=127920 / 90000,
    )
    assert segments == [
        HEAD + "\n00:00:00.500 --> 00:00:01.500\na\n"
        "\n00:00:01.000 --> 00:00:02.000\nb\n"
        "\n00:00:05.500 --> 00:00:07.000\nc\n",
        HEAD + "\n00:00:05.500 --> 00:00:07.000\nc\n",
    ]


def test_a_long_cue_is_in_every_segment_between() -> None:
    segments = cut([cue(0, 9, "a"), cue(1, 2, "b")], [2.0, 2.0, 2.0], clock_s=0)
    assert [segment.count("\na\n") for segment in segments] == [1, 1, 1]
    assert [segment.count("\nb\n") for segment in segments] == [1, 0, 0]


def test_a_time_without_cues_has_a_segment_too() -> None:
    assert cut([], [6.0], clock_s=127920 / 90000) == [HEAD]


def test_settings_and_hours_are_kept() -> None:
    (segment,) = cut([cue(3600, 3661.25, "a", "line:0")], [4000.0], clock_s=0)
    assert segment.endswith("\n01:00:00.000 --> 01:01:01.250 line:0\na\n")


def test_the_clock_wraps_like_the_pictures() -> None:
    (segment,) = cut([], [1.0], clock_s=2**33 / 90000 + 1)
    assert "MPEGTS:90000," in segment
