"""Sizes, aspects, rotations and frame rates."""

from pathlib import Path

from tests.corpus.case import Case, Good, Maker
from tests.corpus.material import H264, P360, joined, picture, plain, tone


def _sized(name: str, size: str, *rungs: tuple[str, int, int], sar: str = "1/1") -> Case:
    def make(maker: Maker) -> Path:
        shape = ("-vf", f"setsar={sar}", "-pix_fmt", "yuv420p")
        return maker.run(f"{name}.mkv", *picture(size, seconds=0.4), *shape, *H264)

    return Case(name=name, make=make, expected=Good(rungs=rungs, seconds=0.4))


def _odd(maker: Maker) -> Path:
    # 4:2:0 has no odd sides, 4:4:4 has
    return maker.run("odd.mkv", *picture("853x479", seconds=0.4), *H264, "-pix_fmt", "yuv444p")


def _turned(degrees: int) -> Case:
    def make(maker: Maker) -> Path:
        turn = ("-display_rotation", str(degrees), "-i", str(plain(maker)), "-c", "copy")
        return maker.run(f"turned_{degrees}.mp4", *turn)

    upright = degrees % 180 == 0
    rungs = P360 if upright else (("360p", 360, 640),)
    return Case(name=f"turned_{degrees}", make=make, expected=Good(rungs=rungs, sounds=(None,)))


def _resized(maker: Maker) -> Path:
    parts = [
        maker.run(f"part_{size}.ts", *picture(size, seconds=1), *H264, "-output_ts_offset", at)
        for size, at in (("640x360", "0"), ("854x480", "1"), ("320x180", "2"))
    ]
    return joined(maker, "resized.ts", *parts)


def _rate(name: str, rate: str, expected: float, seconds: float = 1.0) -> Case:
    def make(maker: Maker) -> Path:
        return maker.run(f"{name}.mkv", *picture("320x180", rate, seconds), *tone(seconds), *H264)

    good = Good(rungs=(("180p", 320, 180),), rate=expected, seconds=seconds, sounds=(None,))
    return Case(name=name, make=make, expected=good)


def _varying(maker: Maker) -> Path:
    # ten frames a second for one second, then thirty
    pace = "setpts='if(lt(N,10),N/10,1+(N-10)/30)/TB'"
    frames = picture("320x180", "30", 1.4)
    return maker.run("varying.mkv", *frames, "-vf", pace, "-fps_mode", "vfr", *H264)


def _two_pictures(maker: Maker) -> Path:
    streams = (*picture("320x180"), *picture("640x360"), *tone())
    return maker.run("two_pictures.mkv", *streams, *("-map", "0", "-map", "1", "-map", "2"), *H264)


def _fields(maker: Maker, name: str, size: str, rate: str, first: str, *codec: str) -> Path:
    woven = f"tinterlace=interleave_{'top' if first == 'tff' else 'bottom'},setfield={first}"
    return maker.run(name, *picture(size, rate), *tone(), "-vf", woven, *codec, "-c:a", "mp2")


_MPEG2 = ("-c:v", "mpeg2video", "-q:v", "5", "-flags", "+ilme+ildct")
_H264_FIELDS = (*H264, "-flags", "+ilme+ildct", "-x264-params", "tff=1")

CASES = [
    _sized("portrait", "360x640", ("360p", 360, 640)),
    _sized("anamorphic_pal", "720x576", ("480p", 640, 480), ("360p", 480, 360), sar="16/15"),
    _sized("anamorphic_hd", "480x360", ("360p", 640, 360), sar="4/3"),
    _sized("narrow_pixels", "1280x360", ("360p", 640, 360), sar="1/2"),
    _sized("cinema", "860x368", ("360p", 842, 360)),
    _sized("column", "100x2000", ("100p", 100, 2000)),
    _sized("ribbon", "6000x64", ("42p", 4096, 42)),
    _sized("stamp", "16x16", ("16p", 16, 16)),
    _sized("square", "480x480", ("480p", 480, 480), ("360p", 360, 360)),
    Case(
        name="odd_sides",
        make=_odd,
        expected=Good(rungs=(("360p", 642, 360),), seconds=0.4),
    ),
    _turned(90),
    _turned(180),
    _turned(270),
    Case(name="resized_in_mid_stream", make=_resized, expected=Good(rungs=P360, seconds=3.0)),
    _rate("one_fps", "1", 1.0, 3.0),
    _rate("a_frame_in_five_seconds", "1/5", 1.0, 10.0),
    _rate("ntsc", "30000/1001", 29.97),
    _rate("fifty", "50", 50.0),
    _rate("ntsc_sixty", "60000/1001", 59.94),
    _rate("hundred_and_twenty", "120", 60.0),
    _rate("thousand", "1000", 60.0),
    Case(
        name="varying_rate",
        make=_varying,
        expected=Good(rungs=(("180p", 320, 180),), rate=30.0, seconds=2.07),
    ),
    Case(
        name="two_pictures",
        make=_two_pictures,
        expected=Good(rungs=P360, sounds=(None,)),
    ),
    Case(
        name="pal_576i",
        make=lambda m: _fields(m, "pal.mpg", "720x576", "50", "tff", *_MPEG2),
        expected=Good(rungs=(("480p", 600, 480), ("360p", 450, 360)), rate=50.0, sounds=(None,)),
    ),
    Case(
        name="ntsc_480i",
        make=lambda m: _fields(m, "ntsc.ts", "720x480", "60000/1001", "bff", *_MPEG2),
        expected=Good(rungs=(("480p", 720, 480), ("360p", 540, 360)), rate=59.94, sounds=(None,)),
    ),
    Case(
        name="h264_fields",
        make=lambda m: _fields(m, "fields.mkv", "640x360", "50", "tff", *_H264_FIELDS),
        expected=Good(rungs=P360, rate=50.0, sounds=(None,)),
    ),
]
