"""Small files that announce, or unpack to, more than a worker has; and names that are traps."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

from tests.corpus.case import Bad, Case, Good, Maker
from tests.corpus.hostile import CANARY_FILE, CANARY_URL
from tests.corpus.material import H264, P360, picture, plain
from tests.corpus.tracks import SRT
from vworker.errors import ErrorCode

_NO_VIDEO = Bad(code=ErrorCode.NOT_A_VIDEO)
_OTHER_FORMAT = Bad(code=ErrorCode.UNSUPPORTED_FORMAT)
_OVER_LIMIT = Bad(code=ErrorCode.SOURCE_OVER_LIMIT)
_PLAIN = Good(rungs=P360, sounds=(None,))
#: 112 MB of white in 110 KB.
_SIDE = 30_000


def _png(name: str) -> bytes:
    def part(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", _SIDE, _SIDE, 1, 0, 0, 0, 0)
    packer = zlib.compressobj(9)
    row = b"\0" + b"\xff" * (_SIDE // 8)
    packed = b"".join(packer.compress(row) for _ in range(_SIDE)) + packer.flush()
    text = part(b"tEXt", b"Title\0" + name.encode())
    return (
        b"\x89PNG\r\n\x1a\n"
        + part(b"IHDR", header)
        + text
        + part(b"IDAT", packed)
        + part(b"IEND", b"")
    )


def _png_alone(maker: Maker) -> Path:
    return maker.write("bomb.png", _png("alone"))


def _png_cover(maker: Maker) -> Path:
    cover = maker.write("cover.png", _png("cover"))
    attached = ("-attach", str(cover), "-metadata:s:t", "mimetype=image/png")
    name = ("-metadata:s:t", "filename=cover.png")
    return maker.run("png_cover.mkv", "-i", str(plain(maker)), *attached, *name, "-c", "copy")


def _flac_alone(maker: Maker) -> Path:
    """2³⁶ samples, and a cover of 16 MB, announced in fifty bytes."""
    rate_channels_bits_samples = (655_350 << 44) | (7 << 41) | (31 << 36) | (2**36 - 1)
    info = struct.pack(">HH", 65_535, 65_535) + bytes(6)
    info += rate_channels_bits_samples.to_bytes(8) + bytes(16)
    cover = struct.pack(">II", 3, 2**32 - 1)
    return maker.write("bomb.flac", b"fLaC\0\0\0\x22" + info + b"\x86\xff\xff\xff" + cover)


def _flac_beside(maker: Maker, seconds: int) -> Path:
    """Silence of 300 bytes a second beside a second of pictures."""
    silence = ("-f", "lavfi", "-i", f"anullsrc=r=8000:cl=mono:d={seconds}")
    return maker.run(f"flac_{seconds}.mkv", *picture(), *silence, *H264, "-c:a", "flac")


def _a_billion_seconds(maker: Maker) -> Path:
    data = maker.run("short.mkv", *picture(), *H264).read_bytes()
    # the element Duration, a double in milliseconds
    at = data.index(b"\x44\x89\x88") + 3
    return maker.write("billion.mkv", data[:at] + struct.pack(">d", 1e12) + data[at + 8 :])


def _chunk(kind: bytes, data: bytes) -> bytes:
    return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def _stream_header(kind: bytes, codec: bytes, length: int) -> bytes:
    numbers = struct.pack("<IHHIIIIIIII4H", 0, 0, 0, 0, 1, 25, 0, length, 0, 0, 0, 0, 0, 320, 180)
    return _chunk(b"strh", kind + codec + numbers)


def _subtitles_of(name: str, body: str) -> Case:
    """An AVI whose subtitles (GAB2, which has a demuxer of its own inside) are a playlist."""

    def make(maker: Maker) -> Path:
        one = ("-frames:v", "1", "-c:v", "mjpeg", "-pix_fmt", "yuvj420p")
        jpeg = maker.run("one.mjpeg", *picture("320x180"), *one).read_bytes()
        main = struct.pack("<14I", 40_000, 0, 0, 16, 25, 0, 2, 0, 320, 180, 0, 0, 0, 0)
        image = struct.pack("<IiiHH4sIiiII", 40, 320, 180, 1, 24, b"MJPG", 0, 0, 0, 0, 0)
        pictures = _stream_header(b"vids", b"MJPG", 25) + _chunk(b"strf", image)
        texts = _stream_header(b"txts", bytes(4), 1) + _chunk(b"strf", b"")
        lists = [_chunk(b"LIST", b"strl" + stream) for stream in (pictures, texts)]
        head = _chunk(b"LIST", b"hdrl" + _chunk(b"avih", main) + b"".join(lists))
        text = body.encode()
        gab2 = b"GAB2\0\2\0" + struct.pack("<I", 2) + bytes(2) + struct.pack("<HI", 4, len(text))
        frames = _chunk(b"00dc", jpeg) * 25
        movie = _chunk(b"LIST", b"movi" + _chunk(b"01tx", gab2 + text) + frames)
        return maker.write(f"{name}.avi", _chunk(b"RIFF", b"AVI " + head + movie))

    good = Good(rungs=(("180p", 320, 180),))
    return Case(name=name, make=make, expected=good)


def _nul_in_names(maker: Maker) -> Path:
    title = ("-metadata", "title=-iXXX/etc/passwdX", "-metadata:s:v", "title=aXXXb")
    data = maker.run("nul.mkv", "-i", str(plain(maker)), "-c", "copy", *title).read_bytes()
    assert data.count(b"XXX") == 2
    return maker.write("nul_in_names.mkv", data.replace(b"XXX", b"\0\n\0"))


def _pattern(maker: Maker) -> Path:
    one = ("-frames:v", "1", "-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-update", "1")
    return maker.run("frame_001.jpg", *picture("320x180"), *one)


def _named(
    name: str, file_name: str, expected: Good | Bad, make: Callable[[Maker], Path] = plain
) -> Case:
    return Case(name=name, make=make, expected=expected, file_name=file_name)


_REFUSED = Bad(code=ErrorCode.INVALID_REQUEST, words="must not hold control characters")
_HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{}\n#EXT-X-ENDLIST\n"

CASES = [
    _named("png_bomb", "bomb.png", _OVER_LIMIT, _png_alone),
    Case(name="png_bomb_as_cover", make=_png_cover, expected=_PLAIN),
    _named("flac_bomb", "bomb.flac", _OTHER_FORMAT, _flac_alone),
    Case(name="flac_of_ten_minutes", make=lambda m: _flac_beside(m, 600), expected=_PLAIN),
    # unpacked, the sound behind the pictures is 23 MB a minute
    Case(name="flac_of_three_hours", make=lambda m: _flac_beside(m, 10_800), expected=_PLAIN),
    Case(
        name="a_billion_seconds",
        make=_a_billion_seconds,
        expected=Bad(code=ErrorCode.SOURCE_OVER_LIMIT, words="a duration of 1000000000 s"),
    ),
    # all three are left out: the demuxers of text are not on the list of FFmpeg's formats either
    _subtitles_of("gab2_of_text", SRT),
    _subtitles_of("gab2_of_a_file", _HLS.format(f"file://{CANARY_FILE}")),
    _subtitles_of("gab2_of_an_address", _HLS.format(f"{CANARY_URL}/a.ts")),
    Case(name="nul_in_names", make=_nul_in_names, expected=_PLAIN),
    _named("pattern_of_pictures", "frame_%03d.jpg", _OTHER_FORMAT, _pattern),
    _named("pattern_as_a_name", "%*d%n%05d.mp4", _PLAIN),
    _named("option_as_a_name", "-i", _PLAIN),
    _named("newline_in_the_name", "a\nfile /etc/passwd\n.mp4", _REFUSED),
    _named("nul_in_the_name", "a.mp4\0.png", _REFUSED),
]
