"""The source of a run: film in 1080p with a camera's grain, as a camera records it."""

from pathlib import Path

from benchmarks.shaka.tools import Tools
from benchmarks.transcode.program import run_program
from benchmarks.transcode.setting import RECORDED

DESCRIPTION = (
    "trailer of Big Buck Bunny, 720p24, enlarged to 1080p with light grain, H.264 at 17 Mbit/s, AAC"
)
# Enlarged film alone is soft: every encoder reaches its best at a tenth of footage's bitrate.
_PICTURE = (
    "scale=1920:1080:flags=lanczos:out_color_matrix=bt709:out_range=tv,"
    "noise=all_seed=1:all_strength=4:all_flags=t,format=yuv420p"
)
_TAGS = ("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709")


async def make_source(tools: Tools, path: Path, seconds: int) -> None:
    """Write the first `seconds` of the film, which begins anew after 55 s.

    Takes about 3 s of CPU time for each second. Raises RunFailed.
    """
    argv = [str(tools.ffmpeg), "-v", "error", "-nostdin", "-y", "-stream_loop", "-1"]
    argv += ["-i", str(tools.film), "-t", str(seconds), "-vf", _PICTURE, *_TAGS, *RECORDED]
    argv += ["-c:a", "aac", "-b:a", "192k", "-ac", "2", "-ar", "48000", str(path)]
    await run_program(argv, path.parent)
