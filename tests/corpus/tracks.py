"""Sounds, subtitles, covers and other tracks; times of streams against each other."""

from pathlib import Path

from tests.corpus.case import Case, Good, Maker
from tests.corpus.material import AAC, H264, P360, joined, picture, plain, tone

#: How every frame of AC-3 in 44.1 kHz begins, up to its bit rate.
_AC3_SYNC = b"\x0b\x77"
HOSTILE = "-i $(touch canary) `touch canary`\n%d'\":;,[v0]\\"
#: Seconds.
_FLAT_S = 30
SRT = "1\n00:00:00,100 --> 00:00:00,900\nHello <i>world</i>\n"
ASS = """[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize
Style: Default,Arial,16

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:00.10,0:00:00.90,Default,,0,0,0,,{\\b1}bold{\\b0} {\\pos(1,2)}words
"""


def _made(name: str, expected: Good, *arguments: str) -> Case:
    file = f"{name}.mkv"
    return Case(name=name, make=lambda m: m.run(file, *arguments), expected=expected)


def _sound(name: str, seconds: float, *options: str) -> Case:
    good = Good(rungs=P360, sounds=(None,))
    return _made(name, good, *picture(), *tone(seconds), *options, *H264, *AAC)


def _many_streams(maker: Maker) -> Path:
    maps = ["-map", "0:v", *["-map", "1:a"] * 40]
    return maker.run("many.mkv", *picture(), *tone(), *maps, *H264, *AAC)


def _languages(maker: Maker) -> Path:
    streams = (*picture(), *tone(), *tone(pitch=660), *tone(pitch=880), *tone(pitch=990))
    maps = ("-map", "0", "-map", "1", "-map", "2", "-map", "3", "-map", "4")
    tags = ("eng", "ger", "fre", HOSTILE)
    named = [f for n, tag in enumerate(tags) for f in (f"-metadata:s:a:{n}", f"language={tag}")]
    return maker.run("languages.mkv", *streams, *maps, *H264, *AAC, *named)


def _unknown_sounds(maker: Maker) -> Path:
    """Sounds beside a good one whose codecs no FFmpeg decodes, as spatial sound of phones."""
    maps = ("-map", "0:v", "-map", "1:a", "-map", "1:a", "-map", "1:a")
    codecs = (*H264, "-c:a:0", "aac", "-c:a:1", "ac3", "-c:a:2", "ac3")
    known = maker.run("known.mov", *picture(), *tone(), *maps, *codecs).read_bytes()
    before, _, after = known.rpartition(b"ac-3")
    renamed = before.replace(b"ac-3", b"apac") + b"ac-4" + after
    return maker.write("unknown_sounds.mov", renamed)


def _broken_sound(maker: Maker, frames: int) -> Path:
    """No frame of the sound but the first few can be decoded: they have lost their beginning."""
    whole = maker.run("ac3.mkv", *picture(), *tone(), *H264, "-c:a", "ac3").read_bytes()
    good = 0
    for _ in range(frames):
        good = whole.index(_AC3_SYNC, good) + 1
    broken = whole[good:].replace(_AC3_SYNC, bytes(len(_AC3_SYNC)))
    return maker.write(f"broken_sound_{frames}.mkv", whole[:good] + broken)


def _latin_1(maker: Maker) -> Path:
    """One text that is UTF-8, one that is not."""
    srt = maker.write("accents.srt", SRT.replace("Hello", "HELLO").encode())
    inputs = ("-i", str(plain(maker)), "-i", str(maker.write("a.srt", SRT.encode())))
    maps = ("-i", str(srt), "-map", "0", "-map", "1", "-map", "2", "-c", "copy", "-c:s", "srt")
    tags = ("-metadata:s:s:0", "language=eng", "-metadata:s:s:1", "language=fre")
    whole = maker.run("accents.mkv", *inputs, *maps, *tags).read_bytes()
    return maker.write("latin_1.mkv", whole.replace(b"HELLO", "H\u00e9llo".encode("latin-1")))


def _cover(maker: Maker) -> Path:
    jpeg = maker.run("cover.mjpeg", *picture("64x64"), *("-frames:v", "1", "-c:v", "mjpeg"))
    inputs = ("-i", str(plain(maker)), "-i", str(jpeg), "-map", "0", "-map", "1", "-c", "copy")
    return maker.run("cover.mp4", *inputs, "-disposition:v:1", "attached_pic")


def _subtitled(maker: Maker) -> Path:
    srt = maker.write("a.srt", SRT.encode())
    ass = maker.write("a.ass", ASS.encode())
    inputs = ("-i", str(plain(maker)), "-i", str(srt), "-i", str(ass))
    maps = ("-map", "0", "-map", "1", "-map", "2", "-c", "copy", "-c:s:0", "srt", "-c:s:1", "ass")
    tags = ("-metadata:s:s:0", "language=ger", "-metadata:s:s:1", f"language={HOSTILE}")
    return maker.run("subtitled.mkv", *inputs, *maps, *tags)


def _mov_text(maker: Maker) -> Path:
    srt = maker.write("a.srt", SRT.encode())
    inputs = ("-i", str(plain(maker)), "-i", str(srt), "-map", "0", "-map", "1", "-c", "copy")
    return maker.run("mov_text.mp4", *inputs, "-c:s", "mov_text", "-metadata:s:s", "language=eng")


def _bitmap_subtitles(maker: Maker) -> Path:
    # one empty presentation of the Blu-ray format, and its end
    head = b"PG" + (9000).to_bytes(4, "big") + bytes(4)
    composition = (640).to_bytes(2, "big") + (360).to_bytes(2, "big") + bytes([16, 0, 1, 128, 0, 0])
    composition += b"\0"
    pgs = head + b"\x16" + len(composition).to_bytes(2, "big") + composition
    sup = maker.write("a.sup", pgs + head + b"\x80\0\0")
    inputs = ("-i", str(plain(maker)), "-i", str(sup), "-map", "0", "-map", "1", "-c", "copy")
    return maker.run("bitmap.mkv", *inputs)


def _hostile_names(maker: Maker) -> Path:
    attached = maker.write("a.ttf", b"font")
    tags = [f for key in ("title", "artist", "comment") for f in ("-metadata", f"{key}={HOSTILE}")]
    tags += ["-metadata:s:v", f"title={HOSTILE}", "-metadata:s:a", f"title={HOSTILE}"]
    font = ("-attach", str(attached), "-metadata:s:t", "mimetype=font/ttf")
    name = ("-metadata:s:t", "filename=../../canary")
    inputs = ("-i", str(plain(maker)), *font, *name, "-c", "copy")
    return maker.run("hostile_names.mkv", *inputs, *tags)


def _reset(maker: Maker) -> Path:
    part = maker.run("second.ts", *picture(), *tone(), *H264, *AAC)
    return joined(maker, "reset.ts", part, part)


def _layout_change(maker: Maker) -> Path:
    parts = [
        maker.run(
            f"channels_{channels}.ts",
            *picture(),
            *tone(),
            *H264,
            *AAC,
            *("-ac", channels, "-output_ts_offset", at),
        )
        for channels, at in (("2", "0"), ("6", "1"))
    ]
    return joined(maker, "layout_change.ts", *parts)


def _cut_in(maker: Maker) -> Path:
    # keeps the frames before the cut, and an edit list that hides them
    whole = maker.run("whole.mp4", *picture(seconds=3), *tone(3), *H264, *AAC, "-g", "250")
    return maker.run("edited.mp4", "-ss", "1", "-i", str(whole), "-c", "copy")


def _mxf(maker: Maker) -> Path:
    """As cameras of broadcasters record."""
    codecs = ("-c:v", "mpeg2video", "-c:a", "pcm_s16le", "-ar", "48000")
    return maker.run("plain.mxf", *picture(), *tone(), *codecs)


def _shifted(name: str, extension: str, rungs: Good, *options: str) -> Case:
    def make(maker: Maker) -> Path:
        return maker.run(f"{name}.{extension}", "-i", str(plain(maker)), "-c", "copy", *options)

    return Case(name=name, make=make, expected=rungs)


def _late(name: str, late: str, seconds: float) -> Case:
    """The picture (0) or the sound (1) begins half a second later."""

    def make(maker: Maker) -> Path:
        source = str(plain(maker))
        inputs = ("-i", source, "-itsoffset", "0.5", "-i", source)
        early = "1" if late == "0" else "0"
        kinds = {"0": "v", "1": "a"}
        maps = ("-map", f"0:{kinds[early]}", "-map", f"1:{kinds[late]}", "-c", "copy")
        return maker.run(f"{name}.mkv", *inputs, *maps)

    good = Good(rungs=P360, seconds=seconds, sounds=(None,))
    return Case(name=name, make=make, expected=good)


#: Times below zero are kept.
_NEGATIVE = ("-copyts", "-avoid_negative_ts", "disabled")
_PLAIN = Good(rungs=P360, sounds=(None,))


def _flat(maker: Maker) -> Path:
    """Half a minute of pictures that are 21 MB a second when they are unpacked."""
    flat = ("-f", "lavfi", "-i", f"color=gray:s=640x360:r=60:d={_FLAT_S}")
    return maker.run("flat.mkv", *flat, *H264, "-g", "600")


def _beside_flat(maker: Maker, name: str, sound: tuple[str, ...], *options: str) -> Path:
    maps = ("-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", "flac")
    return maker.run(name, "-i", str(_flat(maker)), *sound, *maps, *options)


def _sound_at_the_end(maker: Maker) -> Path:
    late = ("-itsoffset", str(_FLAT_S - 1), *tone())
    return _beside_flat(maker, "sound_at_the_end.mkv", late)


def _sound_without_packets(maker: Maker) -> Path:
    drop = ("-bsf:a", "noise=drop=1")
    return _beside_flat(maker, "sound_without_packets.mkv", tone(), *drop)


_LASTING = Good(rungs=P360, rate=60.0, seconds=_FLAT_S, sounds=(None,))

CASES = [
    Case(name="sound_at_the_end", make=_sound_at_the_end, expected=_LASTING),
    Case(name="sound_without_packets", make=_sound_without_packets, expected=_LASTING),
    _made("silent", Good(rungs=P360), *picture(), *H264),
    _sound("short_sound", 0.3),
    _sound("long_sound", 3.0),
    _sound("surround", 1.0, "-ac", "6"),
    _sound("telephone", 1.0, "-ac", "1", "-ar", "8000"),
    Case(
        name="forty_one_streams",
        make=_many_streams,
        expected=Good(rungs=P360, sounds=(None,) * 8),
    ),
    Case(
        name="several_languages",
        make=_languages,
        expected=Good(rungs=P360, sounds=("en", "de", "fr", None)),
    ),
    Case(name="unknown_sounds", make=_unknown_sounds, expected=_PLAIN),
    Case(name="broken_sound", make=lambda m: _broken_sound(m, 4), expected=_PLAIN),
    Case(name="wholly_broken_sound", make=lambda m: _broken_sound(m, 0), expected=_PLAIN),
    Case(
        name="broken_text",
        make=_latin_1,
        expected=Good(rungs=P360, sounds=(None,), subtitles=("en",)),
    ),
    Case(name="cover_art", make=_cover, expected=_PLAIN),
    Case(
        name="text_subtitles",
        make=_subtitled,
        expected=Good(rungs=P360, sounds=(None,), subtitles=("de", None)),
    ),
    Case(
        name="mov_text",
        make=_mov_text,
        expected=Good(rungs=P360, sounds=(None,), subtitles=("en",)),
    ),
    Case(name="bitmap_subtitles", make=_bitmap_subtitles, expected=_PLAIN),
    Case(name="hostile_names", make=_hostile_names, expected=_PLAIN),
    _shifted("timecode", "mov", _PLAIN, "-timecode", "01:00:00:00"),
    _shifted("wrapping_clock", "ts", _PLAIN, "-output_ts_offset", "95442.7"),
    _shifted("late_clock", "ts", _PLAIN, "-output_ts_offset", "5000"),
    _shifted("negative_clock", "flv", _PLAIN, *_NEGATIVE, "-output_ts_offset", "-0.5"),
    _shifted("negative_clock_matroska", "mkv", _PLAIN, *_NEGATIVE, "-output_ts_offset", "-0.5"),
    _shifted("negative_offsets", "mp4", _PLAIN, "-movflags", "negative_cts_offsets"),
    _shifted("no_duration", "webm", _PLAIN, "-f", "matroska", "-live", "1"),
    _shifted("flash", "flv", _PLAIN),
    Case(name="mxf", make=_mxf, expected=_PLAIN),
    _shifted("flash_without_duration", "flv", _PLAIN, "-flvflags", "no_duration_filesize"),
    _shifted("fragmented", "mp4", _PLAIN, "-movflags", "frag_keyframe+empty_moov"),
    _shifted("elementary", "h264", Good(rungs=P360), "-an"),
    _late("late_picture", "0", 1.5),
    _late("late_sound", "1", 1.0),
    Case(name="clock_reset", make=_reset, expected=Good(rungs=P360, seconds=2, sounds=(None,))),
    Case(
        name="layout_change",
        make=_layout_change,
        expected=Good(rungs=P360, seconds=2, sounds=(None,)),
    ),
    Case(name="edit_list", make=_cut_in, expected=Good(rungs=P360, seconds=2, sounds=(None,))),
]
