from dataclasses import replace

import pytest

from vworker.media.hls import Rates
from vworker.media.master import AudioTrack, IFrameVariant, SubtitleTrack, Variant, write_master

HEAD = "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-INDEPENDENT-SEGMENTS\n"
VARIANT = Variant(
    uri="720p/index.m3u8",
    width=1280,
    height=720,
    frame_rate=30000 / 1001,
    codecs="avc1.64001f",
    rates=Rates(peak=2_000_000, average=1_500_000),
)
SCRUB = IFrameVariant(
    uri="scrub/iframes.m3u8",
    width=640,
    height=360,
    codecs="avc1.641016",
    rates=Rates(peak=200_000, average=150_000),
)
ENGLISH = AudioTrack(
    uri="audio/index.m3u8",
    name="English",
    language="en",
    default=True,
    channels=2,
    codecs="mp4a.40.2",
    rates=Rates(peak=140_000, average=130_000),
)
UNKNOWN = replace(
    ENGLISH,
    uri="audio-2/index.m3u8",
    name="Audio",
    language=None,
    default=False,
    rates=Rates(peak=150_000, average=120_000),
)
IFRAMES = (
    "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=200000,AVERAGE-BANDWIDTH=150000,"
    'CODECS="avc1.641016",RESOLUTION=640x360,URI="scrub/iframes.m3u8"\n'
)


def test_a_master_playlist_with_one_sound() -> None:
    assert write_master([VARIANT], [SCRUB], [ENGLISH]) == (
        HEAD + '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="English",LANGUAGE="en",DEFAULT=YES,'
        'AUTOSELECT=YES,CHANNELS="2",URI="audio/index.m3u8"\n'
        "#EXT-X-STREAM-INF:BANDWIDTH=2140000,AVERAGE-BANDWIDTH=1630000,"
        'CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=29.970,AUDIO="audio"\n'
        "720p/index.m3u8\n" + IFRAMES
    )


def test_a_master_playlist_without_sound() -> None:
    assert write_master([VARIANT], [SCRUB]) == (
        HEAD + "#EXT-X-STREAM-INF:BANDWIDTH=2000000,AVERAGE-BANDWIDTH=1500000,"
        'CODECS="avc1.64001f",RESOLUTION=1280x720,FRAME-RATE=29.970\n'
        "720p/index.m3u8\n" + IFRAMES
    )


def test_a_variant_counts_the_densest_of_several_sounds_and_subtitles() -> None:
    subtitles = SubtitleTrack(
        uri="subtitles/index.m3u8",
        name="German",
        language="de",
        default=False,
        forced=True,
        rates=Rates(peak=1_000, average=100),
    )
    text = write_master([VARIANT], [], [ENGLISH, UNKNOWN], [subtitles])
    assert "BANDWIDTH=2151000,AVERAGE-BANDWIDTH=1630100," in text
    assert 'NAME="Audio",LANGUAGE="und",DEFAULT=NO,AUTOSELECT=YES' in text
    assert (
        '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="subtitles",NAME="German",LANGUAGE="de",DEFAULT=NO,'
        'AUTOSELECT=YES,FORCED=YES,URI="subtitles/index.m3u8"\n'
    ) in text
    assert 'AUDIO="audio",SUBTITLES="subtitles"\n720p/index.m3u8\n' in text


def test_the_variant_nearest_to_2000_kbit_s_comes_first_and_the_others_keep_their_order() -> None:
    rates = {"1080p": 5_000_000, "720p": 2_600_000, "480p": 1_300_000, "360p": 700_000}
    variants = [
        replace(VARIANT, uri=name, rates=Rates(peak=rate, average=rate))
        for name, rate in rates.items()
    ]
    lines = write_master(variants, []).splitlines()
    assert [line for line in lines if line in rates] == ["720p", "1080p", "480p", "360p"]


@pytest.mark.parametrize("name", ['x",URI="http://evil', "a\nb", "a\x00"])
def test_nothing_gets_out_of_a_quoted_attribute(name: str) -> None:
    with pytest.raises(ValueError, match="cannot stand in a playlist attribute"):
        write_master([VARIANT], [], [replace(ENGLISH, name=name)])
