"""What the corpus is made of: a file, and what the worker must make of it."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vworker.errors import ErrorCode


class Maker:
    """Makes files in a folder with FFmpeg's own sources; each one once."""

    def __init__(self, ffmpeg: str, folder: Path) -> None:
        self.ffmpeg = ffmpeg
        self.folder = folder

    def run(self, name: str, *arguments: str) -> Path:
        """Return the file of that name, made by these arguments of FFmpeg."""

        def make(path: Path) -> None:
            subprocess.run(
                [self.ffmpeg, "-v", "error", "-nostdin", *arguments, str(path)],
                check=True,
                stdin=subprocess.DEVNULL,
                capture_output=True,
            )

        return self.keep(name, make)

    def write(self, name: str, data: bytes) -> Path:
        """Return a file of these bytes."""
        return self.keep(name, lambda path: path.write_bytes(data))

    def keep(self, name: str, make: Callable[[Path], object]) -> Path:
        """Return the file of that name; `make` writes it when it is first asked for."""
        path = self.folder / name
        if not path.exists():
            make(path)
        return path


@dataclass(frozen=True, kw_only=True, slots=True)
class Good:
    """The renditions that a file must give."""

    #: Name, width and height of every rung.
    rungs: tuple[tuple[str, int, int], ...]
    #: Frames per second, to 0.01.
    rate: float = 25.0
    #: Seconds of the pictures, to a fifth of a second.
    seconds: float = 1.0
    #: BCP 47 tags of the sound renditions.
    sounds: tuple[str | None, ...] = ()
    #: BCP 47 tags of the subtitle renditions.
    subtitles: tuple[str | None, ...] = ()
    #: Mean brightness of the largest rung's first picture, where it matters: lowest and highest.
    brightness: tuple[int, int] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Bad:
    """The failure that a file must give."""

    code: ErrorCode
    #: Words of the message for the user.
    words: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One file of the corpus."""

    name: str
    make: Callable[[Maker], Path]
    expected: Good | Bad
    #: What the user calls it; the last part of its key in S3.
    file_name: str = "-i $(touch canary)%d;:'\".mp4"
    #: Seconds in which it must be done with, on a busy machine too; most need one.
    limit_s: float = 60.0
    #: Writable memory that each run of FFmpeg and ffprobe over it may have.
    memory_mib: int = 512
