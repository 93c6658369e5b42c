"""What the FFmpeg at hand can do, asked once at a worker's start."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from vworker.media.process import run_child
from vworker.media.settings import MediaSettings
from vworker.sandbox import Access

_FILTERS = {"aresample", "apad", "bwdif", "fps", "loudnorm", "lut3d", "scale", "setparams", "split"}
_ENCODERS = {"aac", "libx264", "mjpeg", "webvtt"}
#: Decoders that need no graphics card for AV1; FFmpeg's own one does.
_AV1_DECODERS = {"libdav1d", "libaom-av1", "libgav1"}
#: libavcodec of FFmpeg 8.1. Before it, sounds that come out of a filter are not ended where the
#: pictures end (6.0), or FFmpeg does not end (7.0 to 8.0); docs/media.md tells what was seen.
_USABLE_SINCE = (62, 28)
#: The same for people.
OLDEST_VERSION = "8.1"


@dataclass(frozen=True, kw_only=True, slots=True)
class Capabilities:
    """What matters of a build of FFmpeg."""

    #: As the build calls itself, e.g. "n8.1.2".
    version: str
    #: Whether it is older than OLDEST_VERSION; one that does not tell counts as new.
    too_old: bool
    #: Filters and encoders that every encode may need, and that the build lacks.
    missing: tuple[str, ...]
    #: Whether AV1 can be decoded; without it such a source fails as unsupported_codec.
    decodes_av1: bool
    #: What it can decode, by ffprobe's names of codecs.
    decodes: frozenset[str]


def threads_per_encoder(*, jobs: int, cores: int) -> int:
    """Return how many threads x264 should get per rung; 0 lets it choose.

    As many jobs as cores keep all of them busy with one thread per rung, which takes 8 % less
    CPU time and 25 % less memory (`benchmarks/encoder_threads.py`); with fewer jobs the largest
    rung would be the only one left to wait for.
    """
    return 1 if jobs >= cores else 0


async def ask_ffmpeg(settings: MediaSettings) -> Capabilities:
    """Ask the worker's FFmpeg what it can do. Safe to repeat.

    Raises `TranscodeError` (encoder_unavailable) and TimeoutError when it does not answer.
    """
    with tempfile.TemporaryDirectory() as folder:
        answers = [
            await _ask(settings, Path(folder), question)
            for question in ("-version", "-filters", "-encoders", "-decoders", "-codecs")
        ]
    return read_capabilities(*answers)


async def _ask(settings: MediaSettings, folder: Path, question: str) -> str:
    answer = bytearray()
    await run_child(
        [settings.ffmpeg, "-hide_banner", question],
        access=Access(folder=folder),
        timeout_s=settings.probe_timeout_s,
        on_output=answer.extend,
        settings=settings,
    )
    return answer.decode(errors="replace")


def read_capabilities(
    version: str, filters: str, encoders: str, decoders: str, codecs: str
) -> Capabilities:
    """Read FFmpeg's answers to -version, -filters, -encoders, -decoders and -codecs; pure."""
    named = re.search(r"^ffmpeg version (\S+)", version, re.MULTILINE)
    library = re.search(r"^libavcodec +(\d+)\. *(\d+)\.", version, re.MULTILINE)
    missing = (_FILTERS - _names(filters)) | (_ENCODERS - _names(encoders))
    return Capabilities(
        version=named[1] if named else "of unknown version",
        too_old=library is not None and (int(library[1]), int(library[2])) < _USABLE_SINCE,
        missing=tuple(sorted(missing)),
        decodes_av1=not _AV1_DECODERS.isdisjoint(_names(decoders)),
        decodes=frozenset(re.findall(r"^ D[A-Z.]{5} +(\w+)", codecs, re.MULTILINE)),
    )


def _names(listing: str) -> set[str]:
    """Return the second word of every line: the first one is a row of letters and dots."""
    return set(re.findall(r"^ *[A-Z.]{2,6} +([\w-]+)", listing, re.MULTILINE))
