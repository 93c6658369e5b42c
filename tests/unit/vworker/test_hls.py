import pytest

from vworker.media.hls import (
    AudioTrack,
    MediaPlaylist,
    Rates,
    Segment,
    Variant,
    avc_codec,
    measure_rates,
    parse_media_playlist,
    write_master,
)

MEDIA = """#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:2
#EXT-X-PLAYLIST-TYPE:VOD
#EXTINF:2.000000,
seg_00000.ts
#EXTINF:1.033333,
seg_00001.ts
#EXT-X-ENDLIST
"""


def playlist(*durations: float, target: int = 6) -> MediaPlaylist:
    return MediaPlaylist(
        target_duration_s=target,
        segments=tuple(Segment(uri=f"{n}.ts", duration_s=d) for n, d in enumerate(durations)),
        ended=True,
    )


def test_a_media_playlist_is_read() -> None:
    assert parse_media_playlist(MEDIA) == MediaPlaylist(
        target_duration_s=2,
        segments=(
            Segment(uri="seg_00000.ts", duration_s=2.0),
            Segment(uri="seg_00001.ts", duration_s=1.033333),
        ),
        ended=True,
    )
    assert parse_media_playlist(MEDIA).duration_s == 3.033333


def test_a_playlist_without_endlist_has_not_ended() -> None:
    assert not parse_media_playlist(MEDIA.replace("#EXT-X-ENDLIST\n", "")).ended


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("", "#EXTM3U"),
        ("<html>", "#EXTM3U"),
        (MEDIA.replace("#EXT-X-TARGETDURATION:2\n", ""), "TARGETDURATION"),
        (MEDIA.replace("#EXTINF:2.000000,", "#EXTINF:N/A,"), "no duration in"),
        (MEDIA.replace("#EXTINF:2.000000,", "#EXTINF:-2,"), "no duration in"),
        (MEDIA.replace("#EXTINF:2.000000,\n", ""), "no #EXTINF before 'seg_00000.ts'"),
        (MEDIA.replace("seg_00001.ts\n", ""), "no segment after"),
    ],
)
def test_a_damaged_playlist_is_refused(text: str, finding: str) -> None:
    with pytest.raises(ValueError, match=finding):
        parse_media_playlist(text)


def test_the_peak_is_that_of_the_densest_segment() -> None:
    rates = measure_rates(playlist(6, 6, 6), [600_000, 1_200_000, 300_000])
    assert rates == Rates(peak=1_600_000, average=933_333)


def test_a_short_last_segment_counts_only_together_with_its_neighbour() -> None:
    rates = measure_rates(playlist(6, 1), [600_000, 600_000])
    assert rates.peak == round(8 * 1_200_000 / 7)


def test_a_clip_shorter_than_half_a_target_duration_peaks_at_its_mean() -> None:
    assert measure_rates(playlist(1), [100_000]) == Rates(peak=800_000, average=800_000)


def test_the_codec_is_read_from_the_parameter_set() -> None:
    assert avc_codec(b"\x47junk\x00\x00\x00\x01\x67\x64\x00\x28rest") == "avc1.640028"


def test_a_segment_without_parameter_set_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no H\.264 sequence parameter set"):
        avc_codec(b"\x47" * 1000)


def variant() -> Variant:
    return Variant(
        uri="720p/index.m3u8",
        width=1280,
        height=720,
        frame_rate=30000 / 1001,
        codecs="avc1.64001f",
        rates=Rates(peak=2_000_000, average=1_500_000),
    )


def test_the_master_playlist_with_sound() -> None:
    audio = AudioTrack(
        uri="audio/index.m3u8",
        name="eng",
        language="eng",
        codecs="mp4a.40.2",
        rates=Rates(peak=140_000, average=130_000),
    )
    assert write_master([variant()], audio) == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:6\n"
        "#EXT-X-INDEPENDENT-SEGMENTS\n"
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="eng",LANGUAGE="eng",DEFAULT=YES,'
        'AUTOSELECT=YES,CHANNELS="2",URI="audio/index.m3u8"\n'
        "#EXT-X-STREAM-INF:BANDWIDTH=2140000,AVERAGE-BANDWIDTH=1630000,"
        'CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=29.970,AUDIO="audio"\n'
        "720p/index.m3u8\n"
    )


def test_the_master_playlist_without_sound() -> None:
    assert write_master([variant()], None) == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:6\n"
        "#EXT-X-INDEPENDENT-SEGMENTS\n"
        "#EXT-X-STREAM-INF:BANDWIDTH=2000000,AVERAGE-BANDWIDTH=1500000,"
        'CODECS="avc1.64001f",RESOLUTION=1280x720,FRAME-RATE=29.970\n'
        "720p/index.m3u8\n"
    )


@pytest.mark.parametrize("name", ['x",URI="http://evil', "a\nb", "a\x00"])
def test_nothing_gets_out_of_a_quoted_attribute(name: str) -> None:
    track = AudioTrack(
        uri="a", name=name, language=None, codecs="c", rates=Rates(peak=1, average=1)
    )
    with pytest.raises(ValueError, match="cannot stand in a playlist attribute"):
        write_master([variant()], track)
