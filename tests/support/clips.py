"""Short test videos, made with FFmpeg's own sources and kept for the session."""

import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

_SOUND = ("-f", "lavfi", "-i", "sine=440:duration=3")
_ENCODE = ("-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", "-movflags", "+faststart")


class Clips:
    """Makes clips in a folder; each method returns the path of a file that must not be changed."""

    def __init__(self, ffmpeg: str, folder: Path) -> None:
        self._ffmpeg = ffmpeg
        self._folder = folder

    def full_hd(self) -> Path:
        """1920x1080, 30 fps, 3 s, with sound; the index at the file's start."""
        return self._made("full_hd.mp4", *_picture("1920x1080"), *_SOUND, *_ENCODE)

    def long(self) -> Path:
        """1280x720, 30 fps, 15 s, no sound: its encode takes seconds, and can be interrupted."""
        return self._made("long.mp4", *_picture("1280x720", seconds=15), *_ENCODE)

    def half_a_minute(self) -> Path:
        """854x480, 30 fps, 30 s, no sound: long enough to lose a tenth of its segments."""
        return self._made("half_a_minute.mp4", *_picture("854x480", seconds=30), *_ENCODE)

    def standard(self) -> Path:
        """854x480, 30 fps, 14.5 s, with sound; red in the corner for 6 s, then green."""
        marks = (
            "drawbox=0:0:200:200:red:fill:enable='lt(t,6)',"
            "drawbox=0:0:200:200:green:fill:enable='gte(t,6)'"
        )
        picture = ("-f", "lavfi", "-i", f"testsrc2=size=854x480:rate=30:duration=14.5,{marks}")
        sound = ("-f", "lavfi", "-i", "sine=440:duration=14.5")
        return self._made("standard.mp4", *picture, *sound, *_ENCODE)

    def blue(self) -> Path:
        """As `standard`, with a blue corner."""
        marks = "drawbox=0:0:200:200:blue:fill"
        picture = ("-f", "lavfi", "-i", f"testsrc2=size=854x480:rate=30:duration=14.5,{marks}")
        sound = ("-f", "lavfi", "-i", "sine=440:duration=14.5")
        return self._made("blue.mp4", *picture, *sound, *_ENCODE)

    def ntsc(self) -> Path:
        """640x360, 29.97 fps, 9 s, with sound: no second but the first begins with a picture."""
        picture = ("-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30000/1001:duration=9")
        sound = ("-f", "lavfi", "-i", "sine=440:duration=9")
        return self._made("ntsc.mp4", *picture, *sound, *_ENCODE)

    def tagged(self) -> Path:
        """640x360, 25 fps, 3 s, with sound; durations are told by tags of the streams."""
        return self._made("tagged.mkv", *_picture("640x360", rate=25), *_SOUND, *_ENCODE)

    def silent(self) -> Path:
        """640x360, 25 fps, 3 s, no sound."""
        return self._made("silent.mp4", *_picture("640x360", rate=25), *_ENCODE)

    def small(self) -> Path:
        """322x182, below the smallest rung, with sound."""
        return self._made("small.mp4", *_picture("322x182"), *_SOUND, *_ENCODE)

    def quiet(self) -> Path:
        """640x360, 25 fps, 3 s, with a sound of -41 LUFS."""
        soft = ("-af", "volume=-20dB")
        return self._made("quiet.mp4", *_picture("640x360", rate=25), *_SOUND, *soft, *_ENCODE)

    def subtitled(self) -> Path:
        """640x360, 25 fps, 3 s, with two cues of German subtitles."""
        cues = (
            b"1\n00:00:00,500 --> 00:00:01,000\nhello <i>world</i>\n\n"
            b"2\n00:00:01,500 --> 00:00:02,500\nover the boundary\n"
        )
        texts = ("-i", str(self.holding("cues.srt", cues)), "-c:s", "srt")
        tag = ("-metadata:s:s:0", "language=ger")
        return self._made("subtitled.mkv", *_picture("640x360", rate=25), *texts, *_ENCODE, *tag)

    def phone(self) -> Path:
        """Stored as 1280x720 and to be shown turned by 90 degrees, as phones record."""
        upright = self._made("wide.mp4", *_picture("1280x720"), *_SOUND, *_ENCODE)
        return self._made("phone.mp4", "-display_rotation", "90", "-i", str(upright), "-c", "copy")

    def anamorphic(self) -> Path:
        """Stored as 720x576 with pixels 16:15 wide (PAL, 4:3)."""
        return self._made("pal.mp4", *_picture("720x576"), "-vf", "setsar=16/15", *_ENCODE)

    def flash(self, whole: Path) -> Path:
        """`whole` as FLV, where only the container tells a duration."""
        return self._made(f"{whole.stem}.flv", "-i", str(whole), "-c", "copy")

    def untagged(self, whole: Path) -> Path:
        """`whole` as Matroska without the tags that tell its streams' durations."""
        tagged = self._made(f"{whole.stem}_tagged.mkv", "-i", str(whole), "-c", "copy")
        data = tagged.read_bytes().replace(b"DURATION", b"XURATION")
        return self.holding(f"{whole.stem}_untagged.mkv", data)

    def live(self, whole: Path) -> Path:
        """`whole` as Matroska that tells no duration at all, as it is streamed."""
        streamed = ("-c", "copy", "-f", "matroska", "-live", "1")
        return self._made(f"{whole.stem}_live.mkv", "-i", str(whole), *streamed)

    def tuned_in(self) -> Path:
        """640x360, 25 fps, 4 s as a stream that one has joined 0.8 s before a keyframe."""
        joined = ("-c:v", "libx264", "-g", "25", "-bsf:v", "noise=drop=lt(n\\,5)")
        streamed = ("-f", "matroska", "-live", "1")
        return self._made(
            "tuned_in.mkv", *_picture("640x360", rate=25, seconds=4), *joined, *streamed
        )

    def far_apart(self) -> Path:
        """Two pictures of a stream, a hundred thousand seconds apart."""
        apart = ("-vf", "setpts=N*100000/TB", "-fps_mode", "passthrough", "-c:v", "libx264")
        streamed = ("-f", "matroska", "-live", "1")
        return self._made("far.mkv", *_picture("640x360", rate=1, seconds=2), *apart, *streamed)

    def elementary(self) -> Path:
        """`silent` without a container: its pictures have no times."""
        return self._made("silent.h264", "-i", str(self.silent()), "-c", "copy")

    def late_picture(self) -> Path:
        """640x360, 4 s of pictures that begin after 4 s of sound."""
        late = ("-itsoffset", "4", *_picture("640x360", rate=25, seconds=4))
        sound = ("-f", "lavfi", "-i", "sine=440:duration=8")
        return self._made("late.mkv", *late, *sound, *_ENCODE, "-g", "25")

    def late_sound(self) -> Path:
        """`standard` with a sound that begins at 12 s, far behind where FFmpeg looks for it."""
        late = ("-itsoffset", "12", "-f", "lavfi", "-i", "sine=440:duration=2")
        maps = ("-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", "flac")
        return self._made("late_sound.mkv", "-i", str(self.standard()), *late, *maps)

    def two_sounds(self) -> Path:
        """`standard` with two English sounds, one of them a commentary, and German subtitles."""
        cues = b"1\n00:00:00,500 --> 00:00:14,000\nhello <i>world</i>\n"
        other = ("-f", "lavfi", "-i", "sine=880:duration=14.5")
        texts = ("-i", str(self.holding("hello.srt", cues)))
        maps = ("-map", "0:v", "-map", "0:a", "-map", "1:a", "-map", "2:s")
        codecs = ("-c", "copy", "-c:a:1", "flac", "-c:s", "srt")
        tags = [f for n in (0, 1) for f in (f"-metadata:s:a:{n}", "language=eng")]
        tags += ["-metadata:s:a:1", "title=Commentary", "-metadata:s:s:0", "language=ger"]
        source = ("-i", str(self.standard()), *other, *texts)
        return self._made("two_sounds.mkv", *source, *maps, *codecs, *tags)

    def slow(self) -> Path:
        """640x360, 12 s at six pictures in five seconds, which fit into no whole ones."""
        picture = ("-f", "lavfi", "-i", "testsrc2=size=640x360:rate=6/5:duration=12")
        return self._made("slow.mp4", *picture, *_ENCODE)

    def long_sound(self) -> Path:
        """640x360, 25 fps, 3 s of pictures and 6 s of sound."""
        sound = ("-f", "lavfi", "-i", "sine=440:duration=6")
        return self._made("long_sound.mp4", *_picture("640x360", rate=25), *sound, *_ENCODE)

    def understated(self) -> Path:
        """`half_a_minute` as Matroska that says of itself that it lasts a second."""
        whole = ("-i", str(self.half_a_minute()), "-c", "copy")
        data = self._made("stated.mkv", *whole).read_bytes()
        element = b"\x44\x89\x88"
        told = data.index(element) + len(element)
        data = data[:told] + struct.pack(">d", 1000.0) + data[told + 8 :]
        return self.holding("understated.mkv", data.replace(b"00:00:30.", b"00:00:01."))

    def sound_only(self) -> Path:
        """An .m4a without a picture."""
        return self._made("sound.m4a", *_SOUND, "-c:a", "aac")

    def photograph(self) -> Path:
        """A JPEG file that calls itself .mp4."""
        jpeg = ("-frames:v", "1", "-c:v", "mjpeg", "-f", "image2")
        return self._made("photograph.mp4", *_picture("640x360"), *jpeg)

    def index_at_end(self) -> Path:
        """`full_hd` with the index where a recorder writes it, at the file's end."""
        return self._made("index_at_end.mp4", "-i", str(self.full_hd()), "-c", "copy")

    def cut_off(self, whole: Path) -> Path:
        """The first 59 % of a file."""

        def cut(path: Path) -> None:
            data = whole.read_bytes()
            path.write_bytes(data[: len(data) * 59 // 100])

        return self._kept(f"cut_off_{whole.name}", cut)

    def holding(self, name: str, data: bytes) -> Path:
        """A file with just these bytes."""
        return self._kept(name, lambda path: path.write_bytes(data))

    def _made(self, name: str, *arguments: str) -> Path:
        def run(path: Path) -> None:
            subprocess.run(
                [self._ffmpeg, "-v", "error", "-nostdin", *arguments, str(path)],
                check=True,
                stdin=subprocess.DEVNULL,
            )

        return self._kept(name, run)

    def _kept(self, name: str, make: Callable[[Path], object]) -> Path:
        path = self._folder / name
        if not path.exists():
            make(path)
        return path


def _picture(size: str, *, rate: int = 30, seconds: int = 3) -> tuple[str, ...]:
    return ("-f", "lavfi", "-i", f"testsrc2=size={size}:rate={rate}:duration={seconds}")
