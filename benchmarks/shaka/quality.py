"""What a rendition is worth: its mean bitrate, and VMAF and PSNR against the source."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.shaka.tools import Tools
from benchmarks.transcode.program import RunFailed, run_program

_MODEL = "vmaf_v0.6.1"


@dataclass(frozen=True, kw_only=True, slots=True)
class Quality:
    """Means over all pictures, enlarged to the source's size."""

    #: 0 to 100.
    vmaf: float
    #: Of luma, in dB.
    psnr: float


async def picture_bytes(tools: Tools, media: Path, folder: Path) -> list[int]:
    """Return the size of every coded picture of a file or a media playlist, without containers.

    Raises RunFailed.
    """
    told = folder / "packets.csv"
    argv = [str(tools.ffprobe), "-v", "error", "-select_streams", "v:0", "-of", "csv=p=0"]
    await run_program([*argv, "-show_entries", "packet=size", "-o", str(told), str(media)], folder)
    return read_sizes(told.read_text())


async def measure(
    tools: Tools, playlist: Path, source: Path, folder: Path, *, pictures: int
) -> Quality:
    """Hold every picture of a rendition against the source's. Raises RunFailed."""
    log = folder / "vmaf.json"
    # Picture by picture, whatever their times: containers put them off by different amounts.
    paired = "settb=1/25,setpts=N,fps=25"
    compare = (
        f"[0:v:0]scale=1920:1080:flags=bicubic,{paired}[made];[1:v:0]{paired}[source];"
        f"[made][source]libvmaf=model=version={_MODEL}:feature=name=psnr:n_threads=2:"
        f"shortest=1:log_fmt=json:log_path={log.name}"
    )
    argv = [str(tools.meter), "-v", "error", "-nostdin", "-i", str(playlist), "-i", str(source)]
    await run_program([*argv, "-lavfi", compare, "-an", "-f", "null", "-"], folder)
    quality, compared = read_log(log.read_text())
    if compared != pictures:
        raise RunFailed(f"{playlist}: {compared} of {pictures} pictures were compared")
    return quality


def read_sizes(text: str) -> list[int]:
    """Read ffprobe's list of sizes; pure. Lines may end with a comma, for side data."""
    return [int(line.rstrip(",")) for line in text.split()]


def read_log(text: str) -> tuple[Quality, int]:
    """Read libvmaf's log; return the means, and how many pictures they are of; pure."""
    log = json.loads(text)
    pooled = log["pooled_metrics"]
    quality = Quality(vmaf=pooled["vmaf"]["mean"], psnr=pooled["psnr_y"]["mean"])
    return quality, len(log["frames"])


def mean_rate(sizes: Sequence[int], seconds: float) -> float:
    """Bits per second; pure."""
    return sum(sizes) * 8 / seconds
