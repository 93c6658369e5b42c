"""Every rule of the checker, on a real output that is broken in one place."""

from collections.abc import Callable

import pytest

from tests.support.encoded import Encoded
from tests.support.published import MASTER, Published
from vworker.media.check.rules import RULES

MEDIA, AUDIO, IFRAMES = "480p/index.m3u8", "audio/index.m3u8", "480p/iframes.m3u8"
SECOND = "480p/seg_00001.ts"
X264 = ("-c:v", "libx264", "-preset", "superfast")
TWICE, BOTH = ("-map", "0:a", "-map", "0:a"), ("-map", "0:v", "-map", "1:a")
TEXT = b"WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n"
SUBTITLES = (
    '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="subtitles",NAME="Text",LANGUAGE="en",'
    'URI="text/index.m3u8"'
)


def test_an_output_of_ours_breaks_no_rule(published: Published) -> None:
    assert published.report().passed
    assert published.broken_rules() == set()


async def test_an_output_in_fragmented_mp4_breaks_no_rule(fmp4: Encoded, ffmpeg: str) -> None:
    published = Published(folder=await fmp4.finished(), source_s=14.5, ffmpeg=ffmpeg)
    assert published.broken_rules() == set()


def _wrong_counter(published: Published) -> None:
    def change(packets: list[bytearray]) -> None:
        packets[100][3] ^= 5

    published.change_packets(SECOND, change)


def _with_subtitles(published: Published, text: bytes, target: int = 6) -> None:
    """Subtitles of six seconds, of the 14.5 that there are."""
    published.edit(MASTER, "^#EXT-X-STREAM-INF", SUBTITLES + "\n#EXT-X-STREAM-INF", count=1)
    published.write("text/seg_00000.vtt", text)
    published.write(
        "text/index.m3u8",
        b"#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:%d\n#EXT-X-PLAYLIST-TYPE:VOD\n"
        b"#EXTINF:6.0,\nseg_00000.vtt\n#EXT-X-ENDLIST\n" % target,
    )


def _without_segments(published: Published, name: str) -> None:
    published.edit(name, "^#EXTINF.*\n(#EXT-X-BYTERANGE.*\n)?[^#].*\n", "")


def _keep_the_tables(packets: list[bytearray]) -> None:
    del packets[3:]


def _high_ten(published: Published) -> None:
    published.remake("480p", *X264, "-pix_fmt", "yuv420p10le", "-profile:v", "high10")


def _half_a_second_later(published: Published, folder: str) -> None:
    published.remake(folder, "-c", "copy", "-output_ts_offset", "0.5")


def _without_the_end(published: Published) -> None:
    """Leave the last segment out of everything, as an encode that broke off would."""
    for folder in ("480p", "360p", "audio"):
        published.edit(f"{folder}/index.m3u8", "^#EXTINF.*\nseg_00002.ts\n", "")


def _with_a_cut_end(published: Published, folder: str) -> None:
    """Leave half a second of a rung's last segment, and tell its duration rightly."""
    published.cut(f"{folder}/seg_00002.ts", pictures=15)
    published.edit(f"{folder}/index.m3u8", "^#EXTINF:2.5", "#EXTINF:0.5")


def _as_level(published: Published, level: str) -> None:
    published.remake("480p", "-c", "copy", "-bsf:v", f"h264_metadata=level={level}")


#: Rule → damages, each of which breaks it, and maybe others.
DAMAGES: list[tuple[str, Callable[[Published], object]]] = [
    ("rfc-4", lambda p: p.edit(MEDIA, "^#EXTM3U", "\ufeff#EXTM3U")),
    ("rfc-4", lambda p: p.write(MEDIA, b"#EXTM3U\n\xff\xfe\n")),
    ("rfc-4.3.1.1", lambda p: p.edit(MEDIA, "^#EXTM3U", "#PLAYLIST")),
    ("rfc-4.3.1.1", lambda p: p.edit(MEDIA, "^#EXT-X-TARGETDURATION.*\n", "")),
    ("rfc-4.3.1.1", lambda p: p.write(MASTER, b"<html></html>")),
    ("rfc-4.3.1.1", lambda p: p.edit(MEDIA, "^#EXTINF:6.000000", "#EXTINF:nan")),
    ("rfc-4.3.1.1", lambda p: p.edit(MEDIA, "TARGETDURATION:6", "TARGETDURATION:" + "9" * 400)),
    ("rfc-4.3.1.1", lambda p: p.edit(MASTER, "RESOLUTION=854x480", "RESOLUTION=854x0")),
    ("rfc-4.3.1.1", lambda p: p.edit(MASTER, "FRAME-RATE=30.000", "FRAME-RATE=inf")),
    ("rfc-4.3.1.1", lambda p: p.edit(MASTER, r"INF:BANDWIDTH=\d+", "INF:BANDWIDTH=inf")),
    ("rfc-4.3.1.2", lambda p: p.edit(MEDIA, "VERSION:6", "VERSION:2")),
    ("rfc-4.3.1.2", lambda p: p.edit(IFRAMES, "VERSION:6", "VERSION:3")),
    ("rfc-4.3.3.1", lambda p: p.edit(MEDIA, "^#EXTINF:6.000000", "#EXTINF:6.600000")),
    ("rfc-4.3.3.4", lambda p: p.edit(MEDIA, "^#EXT-X-ENDLIST\n", "")),
    ("rfc-4.3.4.1", lambda p: p.edit(MASTER, "^(#EXT-X-MEDIA.*)$", r"\1\n\1")),
    ("rfc-4.3.4.2", lambda p: p.edit(MASTER, 'AUDIO="audio"$', 'AUDIO="sound"')),
    ("rfc-6.2.1", lambda p: (p.folder / SECOND).unlink()),
    ("rfc-6.2.1", lambda p: (p.folder / IFRAMES).unlink()),
    ("rfc-6.2.4", lambda p: p.edit(MEDIA, "^#EXTINF.*\nseg_00002.ts\n", "")),
    ("rfc-6.2.4", lambda p: _half_a_second_later(p, "360p")),
    ("rfc-6.2.4", lambda p: _with_a_cut_end(p, "360p")),
    ("rfc-6.2.4", lambda p: _with_a_cut_end(p, "480p")),
    ("apple-1.2", lambda p: p.write(SECOND, b"\x47" * 187)),
    ("apple-1.2", lambda p: p.write(SECOND, b"no video at all")),
    ("apple-1.2", lambda p: p.into_fragments(SECOND)),
    ("apple-1.3b", lambda p: _as_level(p, "6")),
    ("apple-1.3b", _high_ten),
    ("apple-1.3a", lambda p: _as_level(p, "5")),
    ("apple-1.4", lambda p: p.remake("480p", *X264, "-profile:v", "main")),
    ("apple-1.11", lambda p: _as_level(p, "4")),
    ("apple-1.13", lambda p: p.remake("480p", *X264, "-g", "1000")),
    ("apple-1.14", lambda p: p.remake("480p", *X264, "-flags", "+ildct+ilme")),
    ("apple-1.19", lambda p: p.remake("480p", *X264, "-r", "75")),
    ("apple-1.26", lambda p: p.edit(MASTER, r"AVERAGE-BANDWIDTH=\d", "AVERAGE-BANDWIDTH=9")),
    ("apple-1.27", lambda p: p.edit(MASTER, r"INF:BANDWIDTH=\d", "INF:BANDWIDTH=9")),
    ("apple-1.27", lambda p: p.edit(MASTER, r"INF:BANDWIDTH=1", "INF:BANDWIDTH=")),
    ("apple-1.30", lambda p: p.write(SECOND, (p.folder / SECOND).read_bytes() * 8)),
    ("apple-1.32", lambda p: _last_variant_first(p)),
    ("apple-1.33", lambda p: p.edit(MASTER, "RESOLUTION=854x", "RESOLUTION=640x")),
    ("apple-2.3", lambda p: p.remake("audio", "-c:a", "aac", "-ac", "1")),
    ("apple-2.17", lambda p: p.remake("audio", *TWICE, "-c", "copy")),
    ("apple-5.3", lambda p: _with_subtitles(p, b"WEBVTT\n\n00:00.000 --> 00:01.000\nHi\n")),
    ("apple-5.3", lambda p: _with_subtitles(p, b"1\n00:00:00,000 --> 00:00:01,000\nHi\n")),
    ("apple-6.1", lambda p: p.edit(MASTER, "^#EXT-X-I-FRAME-STREAM-INF.*\n", "")),
    ("apple-6.2", lambda p: p.edit(MASTER, "^#EXT-X-I-FRAME-STREAM-INF.*scrub.*\n", "")),
    ("apple-6.8", lambda p: p.edit(IFRAMES, "^#EXT-X-I-FRAMES-ONLY\n", "")),
    ("apple-6.8", lambda p: p.edit(IFRAMES, "@564$", "@752")),
    ("apple-6.8", lambda p: p.edit(IFRAMES, "^(#EXT-X-BYTERANGE:)1", r"\g<1>", count=1)),
    ("apple-7.1", lambda p: p.swap(SECOND, "480p/seg_00002.ts")),
    ("apple-7.1", lambda p: p.write(SECOND, (p.folder / SECOND).read_bytes() * 2)),
    ("apple-7.2", _wrong_counter),
    ("apple-7.2", lambda p: p.swap(SECOND, "480p/seg_00002.ts")),
    ("apple-7.4", lambda p: p.drop_first_frame(SECOND)),
    ("apple-7.7", lambda p: p.edit(MEDIA, "TARGETDURATION:6", "TARGETDURATION:5")),
    ("apple-7.5", lambda p: p.split("480p", 2)),
    ("apple-8.1", lambda p: p.edit(MEDIA, "^#EXTINF:2.5", "#EXTINF:1.5")),
    ("apple-8.2", lambda p: p.edit(AUDIO, "TARGETDURATION:6", "TARGETDURATION:7")),
    ("apple-8.2", lambda p: _with_subtitles(p, TEXT, target=7)),
    ("apple-8.3", lambda p: p.edit(AUDIO, "^#EXTINF.*\nseg_00002.ts\n", "")),
    ("apple-8.3", lambda p: _with_a_cut_end(p, "360p")),
    ("apple-8.3", lambda p: _with_subtitles(p, TEXT)),
    ("apple-8.6", lambda p: p.edit(MEDIA, "^#EXT-X-PLAYLIST-TYPE:VOD\n", "")),
    ("apple-8.7", lambda p: _half_a_second_later(p, "audio")),
    ("apple-8.9", lambda p: p.edit(MASTER, ',AUDIO="audio"$', "")),
    ("apple-8.10", lambda p: p.edit(MASTER, ',LANGUAGE="und"', "")),
    ("apple-8.20", lambda p: p.edit(MEDIA, "seg_00001.ts", "seg_00001.m4s")),
    ("apple-8.22", lambda p: _half_a_second_later(p, "audio")),
    ("apple-9.1", lambda p: p.edit(MASTER, ',CODECS="[^"]*"', "")),
    ("apple-9.2", lambda p: p.edit(MASTER, ",RESOLUTION=854x480", "")),
    ("apple-9.3", lambda p: p.edit(MASTER, "avc1.64001f", "avc1.640029")),
    ("apple-9.3", lambda p: p.edit(MASTER, ",mp4a.40.2", "")),
    ("apple-9.4", lambda p: p.edit(MASTER, "RESOLUTION=854x480", "RESOLUTION=856x480")),
    ("apple-9.5", lambda p: p.remake("480p", *BOTH, "-c", "copy", beside="audio")),
    ("apple-9.9", lambda p: p.edit(MASTER, "^#EXT-X-STREAM-INF.*\n360p/index.m3u8\n", "")),
    ("apple-9.11", lambda p: p.edit(MASTER, "^#EXT-X-INDEPENDENT-SEGMENTS\n", "")),
    ("apple-9.13", lambda p: p.edit(MASTER, "INF:BANDWIDTH=1", "INF:BANDWIDTH=")),
    ("apple-9.14", lambda p: p.edit(MASTER, r"AVERAGE-BANDWIDTH=\d+,", "")),
    ("apple-9.15", lambda p: p.edit(MASTER, r",FRAME-RATE=[0-9.]+", "")),
    ("apple-9.15", lambda p: p.edit(MASTER, "FRAME-RATE=30.000", "FRAME-RATE=29.000")),
    ("vqueue-1", _without_the_end),
    ("vqueue-2", lambda p: p.edit(MEDIA, "^seg_00001.ts", "http://127.0.0.1:9/seg_00001.ts")),
    ("vqueue-2", lambda p: p.edit(MEDIA, "^seg_00001.ts", "../../etc/passwd")),
    ("vqueue-2", lambda p: p.edit(MASTER, 'URI="audio/', 'URI="/audio/')),
    ("vqueue-3", lambda p: _without_segments(p, MEDIA)),
    ("vqueue-3", lambda p: _without_segments(p, AUDIO)),
    ("vqueue-3", lambda p: _without_segments(p, IFRAMES)),
    ("vqueue-3", lambda p: p.change_packets(SECOND, _keep_the_tables)),
]


def _last_variant_first(published: Published) -> None:
    published.edit(MASTER, "^(#EXT-X-STREAM.*\n.*\n)(#EXT-X-STREAM.*\n.*\n)", r"\2\1")


@pytest.mark.parametrize(("rule", "damage"), DAMAGES)
def test_a_broken_output_is_told_by_its_rule(
    published: Published, rule: str, damage: Callable[[Published], object]
) -> None:
    damage(published)
    assert rule in published.broken_rules()


@pytest.mark.parametrize(
    ("damage", "rules"),
    [
        (lambda p: p.edit(MASTER, "avc1.64001f", "avc1.640029"), {"apple-9.3"}),
        (lambda p: p.edit(MASTER, "RESOLUTION=854x480", "RESOLUTION=856x480"), {"apple-9.4"}),
        (lambda p: p.edit(MEDIA, "^#EXT-X-ENDLIST\n", ""), {"rfc-4.3.3.4"}),
        (lambda p: p.edit(IFRAMES, "@564$", "@752"), {"apple-6.8"}),
        (lambda p: p.edit(MASTER, r"INF:BANDWIDTH=\d", "INF:BANDWIDTH=9"), {"apple-1.27"}),
        (_wrong_counter, {"apple-7.2"}),
        (lambda p: p.edit(MEDIA, "^#EXTINF:2.5", "#EXTINF:1.5"), {"apple-8.1"}),
        (lambda p: (p.folder / SECOND).unlink(), {"rfc-6.2.1"}),
        (lambda p: p.edit(AUDIO, "^#EXTINF.*\nseg_00002.ts\n", ""), {"apple-8.3"}),
        (_without_the_end, {"vqueue-1"}),
        (lambda p: _without_segments(p, IFRAMES), {"vqueue-3"}),
    ],
)
def test_one_fault_is_told_by_one_rule(
    published: Published, damage: Callable[[Published], object], rules: set[str]
) -> None:
    damage(published)
    assert published.broken_rules() == rules


def test_every_rule_has_its_test() -> None:
    tested = {rule for rule, _ in DAMAGES}
    # What a server says of types is tested with one, in test_check_command.py.
    assert tested | {"apple-10.4"} == set(RULES)
