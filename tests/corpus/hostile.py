"""Files that are no videos, broken ones, and ones that want something from the worker."""

import random
import struct
from collections.abc import Iterator
from pathlib import Path

from tests.corpus.case import Bad, Case, Good, Maker
from tests.corpus.material import AAC, H264, P360, fast_start, picture, plain, tone
from vworker.errors import ErrorCode

#: What stands for a file and an address that nobody may read or reach, until a test puts its own.
CANARY_FILE, CANARY_URL = "/canary-file", "http://canary-url"
_NO_VIDEO = Bad(code=ErrorCode.NOT_A_VIDEO)
_OTHER_FORMAT = Bad(code=ErrorCode.UNSUPPORTED_FORMAT)
_TOO_LARGE = Bad(code=ErrorCode.SOURCE_OVER_LIMIT)
_NO_PICTURE = Bad(code=ErrorCode.NO_VIDEO_STREAM)
_OVER_LIMIT = Bad(code=ErrorCode.SOURCE_OVER_LIMIT)
_TRUNCATED = Bad(code=ErrorCode.SOURCE_TRUNCATED, words="incomplete")
_HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{}\n#EXT-X-ENDLIST\n"
_DASH = (
    '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"'
    ' mediaPresentationDuration="PT3S"><Period><AdaptationSet mimeType="video/mp4">'
    '<Representation id="1" bandwidth="1000"><BaseURL>{}</BaseURL></Representation>'
    "</AdaptationSet></Period></MPD>"
)
_SDP = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"


def _bytes(name: str, data: bytes, expected: Bad = _NO_VIDEO) -> Case:
    return Case(name=name, make=lambda m: m.write(f"{name}.mp4", data), expected=expected)


def _cut(name: str, whole: str, share: float, expected: Bad) -> Case:
    makers = {"index_last": plain, "index_first": fast_start, "matroska": _matroska}

    def make(maker: Maker) -> Path:
        data = makers[whole](maker).read_bytes()
        return maker.write(f"{name}.mp4", data[: round(len(data) * share)])

    return Case(name=name, make=make, expected=expected)


def _matroska(maker: Maker) -> Path:
    return maker.run("whole.mkv", *picture(seconds=3), *tone(3), *H264, *AAC)


def _flipped(maker: Maker) -> Path:
    data = bytearray(fast_start(maker).read_bytes())
    chosen = random.Random(1)  # noqa: S311 - the same damage every time
    start = data.index(b"mdat") + 2000
    for _ in range(40):
        data[chosen.randrange(start, len(data))] ^= 1 << chosen.randrange(8)
    return maker.write("flipped.mp4", bytes(data))


def _lost_pictures(maker: Maker, lost: int) -> Path:
    """Of 75 pictures behind one another so many, from the eleventh on, are none any more."""
    data = bytearray(maker.run("no_b.mp4", *picture(seconds=3), *H264, "-g", "250").read_bytes())
    at = data.index(b"mdat") + 4
    # Before the first picture there is x264's own message.
    units = [len_at for len_at in _units(data, at) if data[len_at + 4] & 31 in {1, 5}]
    for unit in units[10 : 10 + lost]:
        data[unit + 4] = 31
    return maker.write(f"lost_{lost}.mp4", bytes(data))


def _units(data: bytes, at: int) -> Iterator[int]:
    """Where the units of H.264 begin, each with its length in four bytes."""
    while data[at + 4 : at + 8] != b"moov":
        yield at
        at += 4 + int.from_bytes(data[at : at + 4], "big")


def _lie_about_duration(maker: Maker) -> Path:
    data = _matroska(maker).read_bytes()
    return maker.write("lie.mkv", data.replace(b"00:00:03.", b"00:50:03."))


def _wide_gif(maker: Maker, pixels: int) -> Path:
    """A frame of that many pixels on each side in a hundred bytes."""
    side = struct.pack("<HH", pixels, pixels)
    frame = b"," + struct.pack("<HH", 0, 0) + side + b"\0\2\2D\1\0;"
    data = b"GIF89a" + side + b"\x80\0\0\0\0\0\xff\xff\xff" + frame
    return maker.write(f"wide_{pixels}.gif", data)


def _unknown_codec(maker: Maker) -> Path:
    """Pictures whose codec nobody knows, beside a sound that everybody does."""
    data = fast_start(maker).read_bytes()
    return maker.write("unknown_codec.mp4", data.replace(b"avc1\0", b"zzzz\0"))


def _too_many_streams(maker: Maker) -> Path:
    maps = ["-map", "0:v", *["-map", "1:a"] * 80]
    return maker.run("crowd.mkv", *picture("64x64"), *tone(), *maps, *H264, "-c:a", "pcm_u8")


def _long(maker: Maker) -> Path:
    """A picture every fifteen minutes, for thirty hours."""
    return maker.run("long.mkv", *picture("64x64", "1/900", 108_000), *H264)


def _picture(name: str, codec: str) -> Case:
    def make(maker: Maker) -> Path:
        one = ("-frames:v", "1", "-c:v", codec, "-f", "image2pipe")
        return maker.run(f"{name}.mp4", *picture("320x180"), *one)

    return Case(name=name, make=make, expected=_OTHER_FORMAT)


def _sound(name: str, extension: str, *options: str) -> Case:
    return Case(
        name=name,
        make=lambda m: m.run(f"{name}.{extension}", *tone(), *options),
        expected=Bad(code=ErrorCode.NO_VIDEO_STREAM, words="only sound"),
    )


def _mp3_with_cover(maker: Maker) -> Path:
    streams = (*tone(), *picture("64x64"), "-map", "0", "-map", "1", "-frames:v", "1")
    codecs = ("-c:a", "libmp3lame", "-c:v", "mjpeg", "-disposition:v", "attached_pic")
    return maker.run("covered.mp3", *streams, *codecs)


def _m4a_with_cover(maker: Maker) -> Path:
    streams = (*tone(), *picture("64x64"), "-map", "0", "-map", "1", "-frames:v", "1")
    codecs = ("-c:a", "aac", "-c:v", "mjpeg", "-disposition:v", "attached_pic", "-f", "mp4")
    return maker.run("covered.m4a", *streams, *codecs)


def _nested(depth: int) -> bytes:
    """An MP4 of boxes in boxes."""
    size = 8 * depth
    boxes = (struct.pack(">I", size - 8 * n) + b"moov" for n in range(depth))
    return _FTYP + b"".join(boxes)


_FTYP = struct.pack(">I", 16) + b"ftypisom" + bytes(4)

CASES = [
    _bytes("empty", b"", Bad(code=ErrorCode.SOURCE_EMPTY, words="is empty")),
    _bytes("one_byte", b"\0"),
    _bytes("text", b"dear diary\n" * 100),
    _bytes("html", b"<!doctype html><title>404</title><p>not found" * 20),
    _bytes("noise", random.Random(2).randbytes(65536)),  # noqa: S311
    _bytes("zeroes", bytes(100_000)),
    _bytes("only_a_type", _FTYP, Bad(code=ErrorCode.SOURCE_TRUNCATED)),
    _bytes("huge_box", _FTYP + b"\0\0\0\1moov" + struct.pack(">Q", 2**62) + bytes(64), _NO_PICTURE),
    _bytes("nested_boxes", _nested(20_000)),
    _bytes("playlist_of_a_file", _HLS.format(f"file://{CANARY_FILE}").encode()),
    _bytes("playlist_of_an_address", _HLS.format(f"{CANARY_URL}/a.ts").encode()),
    _bytes(
        "concat_of_a_file", f"ffconcat version 1.0\nfile {CANARY_FILE}\n".encode(), _OTHER_FORMAT
    ),
    _bytes("dash_of_an_address", _DASH.format(f"{CANARY_URL}/a.mp4").encode()),
    _bytes("session_description", _SDP.encode(), _OTHER_FORMAT),
    _bytes("subtitles_alone", b"1\n00:00:00,000 --> 00:00:01,000\nx\n", _OTHER_FORMAT),
    _cut("cut_before_the_index", "index_last", 0.6, _TRUNCATED),
    _cut("cut_after_the_index", "index_first", 0.6, _TRUNCATED),
    _cut("cut_matroska", "matroska", 0.5, _TRUNCATED),
    _cut("cut_after_the_header", "index_first", 0.02, Bad(code=ErrorCode.ENCODE_FAILED)),
    Case(
        name="lie_about_duration",
        make=_lie_about_duration,
        expected=Bad(code=ErrorCode.SOURCE_TRUNCATED, words="announces 3003.0 seconds"),
    ),
    Case(
        name="flipped_bits",
        make=_flipped,
        expected=Good(rungs=P360, seconds=3, sounds=(None,)),
    ),
    Case(
        name="lost_pictures",
        make=lambda m: _lost_pictures(m, 30),
        expected=Good(rungs=P360, seconds=3),
    ),
    Case(
        name="mostly_lost_pictures",
        make=lambda m: _lost_pictures(m, 45),
        expected=Bad(code=ErrorCode.ENCODE_FAILED, words="45 of its 75 pictures"),
    ),
    Case(
        name="unknown_codec",
        make=_unknown_codec,
        expected=Bad(code=ErrorCode.UNSUPPORTED_CODEC, words="cannot be decoded"),
    ),
    Case(name="huge_frame", make=lambda m: _wide_gif(m, 15_000), expected=_TOO_LARGE),
    Case(name="largest_frame", make=lambda m: _wide_gif(m, 65_535), expected=_TOO_LARGE),
    Case(name="too_many_streams", make=_too_many_streams, expected=_OVER_LIMIT),
    Case(name="thirty_hours_in_little", make=_long, expected=_OVER_LIMIT),
    _picture("photograph", "mjpeg"),
    _picture("bitmap", "bmp"),
    _sound("song", "m4a", "-c:a", "aac"),
    _sound("record", "ogg", "-c:a", "libopus"),
    Case(name="mp3_with_cover", make=_mp3_with_cover, expected=_OTHER_FORMAT),
    Case(
        name="m4a_with_cover",
        make=_m4a_with_cover,
        expected=Bad(code=ErrorCode.NO_VIDEO_STREAM, words="a still picture and sound"),
    ),
]
