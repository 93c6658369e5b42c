import pytest

from vworker.media.hls import (
    IFrame,
    MediaPlaylist,
    Rates,
    Segment,
    measure_rates,
    parse_media_playlist,
    target_duration,
    write_iframe_playlist,
    write_media_playlist,
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


@pytest.mark.parametrize("rounding_s", [-1e-6, 0, 1e-6])
def test_a_run_right_at_a_limit_counts_however_its_duration_is_rounded(rounding_s: float) -> None:
    half = measure_rates(playlist(6, 3 + rounding_s), [600_000, 900_000])
    assert half.peak == pytest.approx(8 * 900_000 / 3, rel=1e-6)
    one_and_a_half = measure_rates(playlist(2, 7 + rounding_s, 6), [1_500_000, 900_000, 9])
    assert one_and_a_half.peak == pytest.approx(8 * 2_400_000 / 9, rel=1e-6)


def test_a_clip_shorter_than_half_a_target_duration_peaks_at_its_mean() -> None:
    assert measure_rates(playlist(1), [100_000]) == Rates(peak=800_000, average=800_000)


def test_what_is_written_can_be_read_again() -> None:
    listed = MediaPlaylist(
        target_duration_s=6,
        segments=(Segment(uri="seg_00000.m4s", duration_s=6.006),),
        ended=True,
        init_uri="init.mp4",
    )
    text = write_media_playlist(listed)
    assert parse_media_playlist(text) == listed
    assert "#EXT-X-PLAYLIST-TYPE:VOD\n" in text


@pytest.mark.parametrize(
    ("durations", "target"), [((6.006, 2.5), 6), ((6.5,), 7), ((0.2,), 1), ((5.9, 6.49), 6)]
)
def test_a_target_duration_is_that_of_the_longest_segment_rounded(
    durations: tuple[float, ...], target: int
) -> None:
    assert target_duration(durations) == target


def test_an_iframe_playlist_lists_ranges_of_bytes() -> None:
    iframes = [
        IFrame(uri="seg_00000.ts", duration_s=2.002, offset=564, length=16544),
        IFrame(uri="seg_00001.ts", duration_s=1.5, offset=564, length=9024),
    ]
    assert write_iframe_playlist(iframes, None) == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:6\n"
        "#EXT-X-TARGETDURATION:2\n"
        "#EXT-X-MEDIA-SEQUENCE:0\n"
        "#EXT-X-PLAYLIST-TYPE:VOD\n"
        "#EXT-X-I-FRAMES-ONLY\n"
        "#EXTINF:2.002000,\n"
        "#EXT-X-BYTERANGE:16544@564\n"
        "seg_00000.ts\n"
        "#EXTINF:1.500000,\n"
        "#EXT-X-BYTERANGE:9024@564\n"
        "seg_00001.ts\n"
        "#EXT-X-ENDLIST\n"
    )


def test_an_iframe_playlist_of_fragments_names_their_initialization() -> None:
    iframe = IFrame(uri="seg_00000.m4s", duration_s=6, offset=24, length=9000)
    text = write_iframe_playlist([iframe], "init.mp4")
    assert '#EXT-X-I-FRAMES-ONLY\n#EXT-X-MAP:URI="init.mp4"\n#EXTINF' in text
