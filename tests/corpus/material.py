"""Arguments of FFmpeg that the corpus's files share."""

from pathlib import Path

from tests.corpus.case import Maker

H264 = ("-c:v", "libx264", "-preset", "ultrafast")
H264_10 = (*H264, "-pix_fmt", "yuv420p10le")
AAC = ("-c:a", "aac")
P360 = (("360p", 640, 360),)


def picture(size: str = "640x360", rate: str = "25", seconds: float = 1.0) -> tuple[str, ...]:
    """A moving test picture."""
    return ("-f", "lavfi", "-i", f"testsrc2=size={size}:rate={rate}:duration={seconds}")


def grey(size: str = "640x360", seconds: float = 1.0) -> tuple[str, ...]:
    """A grey plane."""
    return ("-f", "lavfi", "-i", f"color=gray:s={size}:r=25:d={seconds}")


def tone(seconds: float = 1.0, pitch: int = 440) -> tuple[str, ...]:
    """A sound."""
    return ("-f", "lavfi", "-i", f"sine={pitch}:duration={seconds}")


def plain(maker: Maker) -> Path:
    """640x360, 25 fps, one second, with sound; the index at the end."""
    return maker.run("plain.mp4", *picture(), *tone(), *H264, *AAC)


def fast_start(maker: Maker) -> Path:
    """`plain` with three seconds and the index in front."""
    moved = ("-movflags", "+faststart")
    return maker.run("fast.mp4", *picture(seconds=3), *tone(3), *H264, *AAC, *moved)


def joined(maker: Maker, name: str, *parts: Path) -> Path:
    """Files one after another, as they are."""
    return maker.write(name, b"".join(part.read_bytes() for part in parts))
