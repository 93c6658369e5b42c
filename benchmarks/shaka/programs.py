"""The two programs, each as its user starts it: one local file in, one folder of HLS out.

worker  `python -m vworker transcode`: probe, encode in the sandbox, picture for scrubbing, poster,
        storyboard, playlists, checker
shaka   `shaka-streamer`: probe, encode, Shaka Packager on the other end of pipes
"""

import json
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import m3u8

from benchmarks.peers.catalogue import ROOT
from benchmarks.shaka import shaka_config
from benchmarks.shaka.tools import Tools
from benchmarks.transcode.cost import Clock, Cost
from benchmarks.transcode.program import run_program

#: What Shaka Streamer 1.5.1 has fixed for files.
PRESET = "slow"
#: Rungs by name: width and height.
Sizes = Mapping[str, tuple[int, int]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """What one run made, and took."""

    cost: Cost
    #: Media playlists by rung.
    playlists: Mapping[str, Path]
    sizes: Sizes


@dataclass(frozen=True, kw_only=True, slots=True)
class Programs:
    """Both programs over one source; each run replaces what the program's last one made."""

    tools: Tools
    source: Path
    #: Where outputs and scratch files lie.
    folder: Path
    #: Between keyframes too, in both.
    segment_s: int

    async def run_worker(self) -> Made:
        """Run the worker with its own ladder. Raises RunFailed."""
        output = self._empty("worker")
        argv = [sys.executable, "-m", "vworker", "transcode"]
        environ = {
            **{name: value for name, value in self._environ().items() if "WORKER_" not in name},
            "PYTHONPATH": str(ROOT / "src"),
            "FFMPEG": str(self.tools.ffmpeg),
            "FFPROBE": str(self.tools.ffprobe),
            "WORKER_PRESET": PRESET,
            "WORKER_SEGMENT_SECONDS": str(self.segment_s),
            "WORKER_KEYFRAME_SECONDS": str(self.segment_s),
            "WORKER_SEGMENT_TYPE": "fmp4",
            "WORKER_AUDIO_BITRATE": str(shaka_config.SOUND_RATE),
            "WORKER_SANDBOX": "prefer",
        }
        clock = Clock()
        await run_program(
            [*argv, str(self.source), "--out", str(output)], self.folder, environ=environ
        )
        return _made(clock.cost(), output / "master.m3u8")

    async def run_shaka(self, sizes: Sizes, mean_rates: Mapping[str, float]) -> Made:
        """Run Shaka Streamer; `mean_rates` as for `shaka_config.bitrates`. Raises RunFailed."""
        output = self._empty("shaka")
        argv = [*map(str, self.tools.streamer), "--output", str(output)]
        for option, content in (
            ("input", shaka_config.inputs(self.source)),
            ("pipeline", shaka_config.pipeline(sizes, self.segment_s)),
            ("bitrate", shaka_config.bitrates(sizes, mean_rates)),
        ):
            path = self.folder / f"shaka-{option}.yaml"
            path.write_text(json.dumps(content))
            argv += [f"--{option}-config", str(path)]
        clock = Clock()
        await run_program(argv, self.folder, environ=self._environ())
        return _made(clock.cost(), output / "hls.m3u8")

    def _empty(self, name: str) -> Path:
        path = self.folder / name
        shutil.rmtree(path, ignore_errors=True)
        return path

    def _environ(self) -> dict[str, str]:
        # Shaka's pipes lie in a folder that it leaves behind when it is killed.
        return {**os.environ, "TMPDIR": str(self.folder)}


def _made(cost: Cost, master: Path) -> Made:
    variants = {}
    listed = m3u8.load(str(master)).playlists
    # largest first: each program has an order of its own
    for variant in sorted(listed, key=lambda one: one.stream_info.resolution, reverse=True):
        width, height = variant.stream_info.resolution
        variants[f"{min(width, height)}p"] = (master.parent / variant.uri, (width, height))
    return Made(
        cost=cost,
        playlists={name: path for name, (path, _) in variants.items()},
        sizes={name: size for name, (_, size) in variants.items()},
    )
