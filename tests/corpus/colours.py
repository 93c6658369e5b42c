"""Codecs, containers, pixel formats and colours."""

from pathlib import Path

from tests.corpus.case import Case, Good, Maker
from tests.corpus.material import AAC, H264, H264_10, P360, grey, picture, plain, tone

_OWN = (("180p", 320, 180),)


def _coded(
    name: str,
    extension: str,
    *options: str,
    sound: bool = False,
    rungs: tuple[tuple[str, int, int], ...] = _OWN,
    size: str = "320x180",
    rate: float = 25.0,
) -> Case:
    sounds = tone() if sound else ()

    def make(maker: Maker) -> Path:
        return maker.run(f"{name}.{extension}", *picture(size), *sounds, *options)

    good = Good(rungs=rungs, rate=rate, sounds=(None,) if sound else ())
    return Case(name=name, make=make, expected=good)


def _light(name: str, luma: int, colour: str, brightness: tuple[int, int], *codec: str) -> Case:
    """A grey plane of one code value, tagged with its colours."""

    def make(maker: Maker) -> Path:
        ten_bit = "yuv420p10le" in codec
        middle = 512 if ten_bit else 128
        plane = f"format={'yuv420p10le' if ten_bit else 'yuv420p'}"
        plane += f",geq=lum={luma}:cb={middle}:cr={middle},setparams={colour}"
        return maker.run(f"{name}.mkv", *grey(seconds=0.4), "-vf", plane, *codec)

    return Case(name=name, make=make, expected=Good(rungs=P360, seconds=0.4, brightness=brightness))


_2020 = "range=tv:colorspace=bt2020nc:color_primaries=bt2020:color_trc="
_PRORES = ("-c:v", "prores_ks", "-pix_fmt")

CASES = [
    Case(name="plain", make=plain, expected=Good(rungs=P360, sounds=(None,))),
    # PQ 0.58 is 203 cd/m², diffuse white: bright, and not clipped
    _light("hdr10", 572, _2020 + "smpte2084", (190, 215), *H264_10),
    _light("hlg", 721, _2020 + "arib-std-b67", (190, 225), *H264_10),
    # half of the range stays half of the range
    _light("wide_gamut", 502, _2020 + "bt709", (120, 132), *H264_10),
    _light("full_range", 128, "range=pc:colorspace=bt709", (122, 129), *H264),
    _light("limited_range", 126, "range=tv:colorspace=bt709", (124, 128), *H264),
    _light("bt601", 126, "range=tv:colorspace=smpte170m", (124, 128), *H264),
    _light("odd_matrix", 126, "range=tv:colorspace=ycgco", (120, 132), *H264),
    _coded("ten_bit", "mkv", *H264, "-pix_fmt", "yuv422p10le"),
    _coded("four_four_four", "mkv", *H264, "-pix_fmt", "yuv444p"),
    _coded("rgb", "mkv", "-c:v", "libx264rgb", "-preset", "ultrafast"),
    _coded("grey", "mkv", *H264, "-pix_fmt", "gray"),
    _coded("prores", "mov", *_PRORES, "yuv422p10le", "-c:a", "pcm_s16le", sound=True),
    _coded("prores_alpha", "mov", *_PRORES, "yuva444p10le"),
    _coded("animation_alpha", "mov", "-c:v", "qtrle", "-pix_fmt", "argb"),
    _coded("webm_alpha", "webm", "-c:v", "libvpx", "-pix_fmt", "yuva420p", "-auto-alt-ref", "0"),
    _coded(
        "vp9_opus", "webm", "-c:v", "libvpx-vp9", "-cpu-used", "8", "-c:a", "libopus", sound=True
    ),
    _coded("hevc", "mp4", "-c:v", "libx265", "-preset", "ultrafast", *AAC, sound=True),
    _coded("gif", "gif"),
    _coded("divx", "avi", "-c:v", "mpeg4", "-c:a", "libmp3lame", sound=True),
    _coded("motion_jpeg", "avi", "-c:v", "mjpeg", "-pix_fmt", "yuvj420p"),
    _coded("windows_media", "wmv", "-c:v", "wmv2", "-c:a", "wmav2", sound=True),
    _coded("mpeg_program", "mpg", "-c:v", "mpeg2video", "-c:a", "mp2", sound=True),
    _coded("mxf", "mxf", "-c:v", "mpeg2video", "-c:a", "pcm_s16le", "-ar", "48000", sound=True),
    _coded(
        "old_phone",
        "3gp",
        *("-c:v", "h263", "-c:a", "aac"),
        sound=True,
        size="176x144",
        rungs=(("144p", 176, 144),),
    ),
]
