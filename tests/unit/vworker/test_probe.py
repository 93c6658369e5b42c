from fractions import Fraction
from typing import Any

import pytest

from vworker.errors import ErrorCode, TranscodeError
from vworker.media.probe_answer import read_probe
from vworker.media.source import Transfer

VIDEO: dict[str, Any] = {
    "index": 0,
    "codec_type": "video",
    "codec_name": "h264",
    "width": 1920,
    "height": 1080,
    "sample_aspect_ratio": "1:1",
    "r_frame_rate": "30000/1001",
    "avg_frame_rate": "30000/1001",
    "duration": "10.010000",
    "disposition": {"attached_pic": 0},
}
AUDIO: dict[str, Any] = {
    "index": 1,
    "codec_type": "audio",
    "codec_name": "aac",
    "channels": 2,
    "tags": {"language": "deu", "title": "Commentary"},
}
FORMAT = {"format_name": "mov,mp4", "duration": "12.5"}


def answer(*streams: dict[str, Any]) -> dict[str, Any]:
    return {"streams": list(streams), "format": FORMAT}


def test_a_plain_source_is_read() -> None:
    info = read_probe(answer(VIDEO, AUDIO))
    assert (info.container, info.container_duration_s) == ("mov,mp4", 12.5)
    assert (info.video.width, info.video.height) == (1920, 1080)
    assert info.video.frame_rate == Fraction(30000, 1001)
    assert info.video.duration_s == 10.01
    assert info.audio is not None
    assert (info.audio.index, info.audio.language, info.audio.title) == (1, "deu", "Commentary")


def test_a_sound_that_cannot_be_decoded_is_left_out() -> None:
    spatial = AUDIO | {"index": 2, "codec_name": None}
    info = read_probe(answer(VIDEO, AUDIO, spatial), decodes={"aac"})
    assert [sound.index for sound in info.sounds] == [1]
    assert info.unknown_sounds == ("unknown",)


def test_the_largest_picture_wins_and_a_cover_is_no_picture() -> None:
    cover = VIDEO | {"index": 0, "width": 4000, "height": 4000, "disposition": {"attached_pic": 1}}
    small = VIDEO | {"index": 1, "width": 320, "height": 180}
    large = VIDEO | {"index": 2}
    assert read_probe(answer(cover, small, large)).video.index == 2


@pytest.mark.parametrize(
    ("streams", "words"),
    [
        ([AUDIO], "only sound"),
        ([], "only an empty container"),
        ([VIDEO | {"disposition": {"attached_pic": 1}}, AUDIO], "only a still picture and sound"),
        ([VIDEO | {"width": 0}], "only a still picture"),
    ],
)
def test_a_file_without_moving_picture_is_refused(
    streams: list[dict[str, Any]], words: str
) -> None:
    with pytest.raises(TranscodeError) as refusal:
        read_probe(answer(*streams))
    assert refusal.value.code is ErrorCode.NO_VIDEO_STREAM
    assert words in refusal.value.message


@pytest.mark.parametrize(
    ("change", "size"),
    [
        ({"sample_aspect_ratio": "4:3", "width": 1440}, (1920, 1080)),
        ({"sample_aspect_ratio": "0:1"}, (1920, 1080)),
        ({"sample_aspect_ratio": "N/A"}, (1920, 1080)),
        ({"side_data_list": [{"rotation": -90}]}, (1080, 1920)),
        ({"side_data_list": [{"rotation": 270}]}, (1080, 1920)),
        ({"side_data_list": [{"rotation": 180}]}, (1920, 1080)),
        ({"side_data_list": [{}, {"rotation": 90}]}, (1080, 1920)),
        (
            {"sample_aspect_ratio": "4:3", "width": 1440, "side_data_list": [{"rotation": 90}]},
            (1080, 1920),
        ),
    ],
)
def test_the_size_is_the_one_shown(change: dict[str, Any], size: tuple[int, int]) -> None:
    video = read_probe(answer(VIDEO | change)).video
    assert (video.width, video.height) == size


@pytest.mark.parametrize(
    ("base", "mean", "rate"),
    [
        ("30000/1001", "30000/1001", Fraction(30000, 1001)),
        ("25/1", "2499/100", Fraction(25)),
        ("30/1", "17/1", Fraction(30)),
        ("50/1", "25/1", Fraction(25)),
        ("90000/1", "2953/100", Fraction(2953, 100)),
        ("0/0", "25/1", Fraction(25)),
        ("25/1", "0/0", Fraction(25)),
        ("0/0", "0/0", None),
        ("-25/1", "x", None),
    ],
)
def test_the_frame_rate_is_the_exact_one_unless_it_is_far_off(
    base: str, mean: str, rate: Fraction | None
) -> None:
    change = {"r_frame_rate": base, "avg_frame_rate": mean}
    assert read_probe(answer(VIDEO | change)).video.frame_rate == rate


@pytest.mark.parametrize(
    ("change", "duration_s"),
    [
        ({"duration": "N/A"}, None),
        ({"duration": "-5"}, None),
        ({"duration": "1e999"}, None),
        ({"duration": None, "tags": {"DURATION": "01:02:03.500000000"}}, 3723.5),
        (
            {"duration": None, "start_time": "23.5", "tags": {"DURATION": "01:02:03.500000000"}},
            3700.0,
        ),
        ({"duration": None, "tags": {"DURATION": "soon"}}, None),
    ],
)
def test_the_duration_is_that_of_the_video_stream(
    change: dict[str, Any], duration_s: float | None
) -> None:
    assert read_probe(answer(VIDEO | change)).video.duration_s == duration_s


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("en-US", "en-US"),
        ("zh-Hant-TW", "zh-Hant-TW"),
        ("de-CH-1996", "de-CH"),
        ("es-419", "es-419"),
    ],
)
def test_a_language_keeps_its_script_and_its_region(language: str, code: str) -> None:
    info = read_probe(answer(VIDEO, AUDIO | {"tags": {"language": language}}))
    assert info.audio is not None
    assert info.audio.language == code


@pytest.mark.parametrize(
    "language",
    [*("und", "", 'x",URI="http://evil', 'en-US",URI="x', "en-US\n", "und-US", "ENG"), 7, None],
)
def test_only_a_language_code_gets_out_of_the_tags(language: Any) -> None:
    info = read_probe(answer(VIDEO, AUDIO | {"tags": {"language": language}}))
    assert info.audio is not None
    assert info.audio.language is None


@pytest.mark.parametrize("junk", [None, [], 7, "x", {"streams": 7}, {"streams": [None, 3, []]}])
def test_an_answer_of_another_shape_holds_no_video(junk: Any) -> None:
    with pytest.raises(TranscodeError):
        read_probe(junk)


@pytest.mark.parametrize("junk", [None, [], {}, "9" * 5000, -1, 2**80, True])
def test_no_value_of_a_stream_can_break_the_reader(junk: Any) -> None:
    for name in [*VIDEO, "tags", "side_data_list"]:
        if name not in {"codec_type", "width", "height"}:
            read_probe(answer(VIDEO | {name: junk}, AUDIO))


@pytest.mark.parametrize("order", ["tt", "bb", "tb", "bt"])
def test_a_picture_of_two_fields_is_interlaced(order: str) -> None:
    assert read_probe(answer(VIDEO | {"field_order": order})).video.interlaced


@pytest.mark.parametrize("order", ["progressive", "unknown", None, 7])
def test_any_other_picture_is_not_interlaced(order: Any) -> None:
    assert not read_probe(answer(VIDEO | {"field_order": order})).video.interlaced


@pytest.mark.parametrize("aspect", ["1:9", "9:1", "1:4000000000", "4000000000:1"])
def test_an_absurd_pixel_aspect_is_not_believed(aspect: str) -> None:
    video = read_probe(answer(VIDEO | {"sample_aspect_ratio": aspect})).video
    assert (video.width, video.height) == (1920, 1080)


def test_the_brightest_light_of_an_hdr_picture_is_read() -> None:
    change: dict[str, Any] = {
        "color_transfer": "smpte2084",
        "color_primaries": "bt2020",
        "color_space": "bt2020nc",
        "side_data_list": [{"max_luminance": "40000000/10000"}, {"max_content": 1200}],
    }
    colour = read_probe(answer(VIDEO | change)).video.colour
    assert colour.transfer is Transfer.PQ
    assert (colour.primaries, colour.matrix) == ("bt2020", "bt2020nc")
    assert colour.peak_nits == 1200
    change["side_data_list"] = [{"max_luminance": "40000000/10000"}, {"max_content": 0}]
    assert read_probe(answer(VIDEO | change)).video.colour.peak_nits == 4000


def test_unknown_colours_are_none() -> None:
    change = {"color_primaries": "unknown", "color_space": "reserved", "color_transfer": "unknown"}
    colour = read_probe(answer(VIDEO | change)).video.colour
    assert (colour.primaries, colour.matrix, colour.transfer) == (None, None, Transfer.SDR)


@pytest.mark.parametrize(
    ("pixels", "rgb", "alpha"),
    [
        ("yuv420p", False, False),
        ("yuva420p", False, True),
        ("bgra", True, True),
        ("gbrap12le", True, True),
        ("gbrp", True, False),
        ("rgb24", True, False),
        ("pal8", True, True),
        ("gray", False, False),
        ("nv12", False, False),
    ],
)
def test_pixels_tell_whether_they_are_rgb_and_transparent(
    pixels: str, rgb: bool, alpha: bool
) -> None:
    video = read_probe(answer(VIDEO | {"pix_fmt": pixels})).video
    assert (video.colour.is_rgb, video.alpha) == (rgb, alpha)


def test_every_sound_and_every_text_track_is_found() -> None:
    text = {"index": 2, "codec_type": "subtitle", "codec_name": "subrip"}
    images = {"index": 3, "codec_type": "subtitle", "codec_name": "hdmv_pgs_subtitle"}
    forced = text | {"index": 4, "disposition": {"forced": 1, "default": 1}}
    second = AUDIO | {"index": 5, "disposition": {"default": 1}}
    mute = AUDIO | {"index": 6, "channels": 0}
    info = read_probe(answer(VIDEO, AUDIO, text, images, forced, second, mute))
    assert [(sound.index, sound.default) for sound in info.sounds] == [(1, False), (5, True)]
    assert [(track.index, track.forced) for track in info.subtitles] == [(2, False), (4, True)]
    assert info.bitmap_subtitles == ("hdmv_pgs_subtitle",)


def test_times_count_from_the_beginning_of_the_file() -> None:
    late = answer(VIDEO | {"start_time": "10.5"}, AUDIO | {"start_time": "9.0"})
    late["format"] = FORMAT | {"start_time": "9.0"}
    info = read_probe(late)
    assert info.video.start_s == 1.5
    assert info.sounds[0].start_s == 0
