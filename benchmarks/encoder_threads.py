"""How many threads x264 should get per rung, by how many jobs share the machine.

    python -m benchmarks.encoder_threads [--seconds 5] [--repeats 3] [--jobs 1 2] [--threads 0 1 2]

Runs the worker's own FFmpeg command on a made 1080p30 clip with sound (four rungs), as many at a
time as `--jobs` says. The ways take turns, so that a busy neighbour hits all alike. Prints one
JSON object: per way the wall seconds per job, the CPU seconds per job and the resident set of the
largest process, each the median of the repeats, and all of them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from devstack import Stack
from vworker.media.command_line import command_line
from vworker.media.ffmpeg import prepare_folders
from vworker.media.plan import SOURCE_NAME, make_plan
from vworker.media.probe import probe
from vworker.media.settings import MediaSettings

MB = 1_000_000


async def make_clip(ffmpeg: str, path: Path, seconds: int) -> None:
    """Write a moving picture with some noise, which costs x264 about what footage does."""
    picture = f"testsrc2=size=1920x1080:rate=30:duration={seconds},noise=all_strength=6:all_flags=t"
    sound = f"sine=440:duration={seconds}"
    codecs = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "20", "-c:a", "aac")
    inputs = ("-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound)
    process = await asyncio.create_subprocess_exec(
        *(ffmpeg, "-v", "error", "-nostdin", *inputs, *codecs, "-f", "mp4", str(path))
    )
    if await process.wait() != 0:
        raise SystemExit("the clip could not be made")


async def one_job(clip: Path, settings: MediaSettings, folder: Path) -> tuple[float, float]:
    """Run one encode; return its CPU seconds and its resident set in MB."""
    (folder / SOURCE_NAME).symlink_to(clip)
    info = await probe(folder / SOURCE_NAME, settings)
    plan = make_plan(folder, info, settings.encoding)
    prepare_folders(plan)
    status, usage = await asyncio.to_thread(_run, command_line(plan, settings), folder)
    if status != 0:
        raise SystemExit(f"FFmpeg ended with {status}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / MB


def _run(argv: list[str], folder: Path) -> tuple[int, resource.struct_rusage]:
    """Run a program to its end; return its status and what it alone used."""
    process = subprocess.Popen(argv, cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    return status, usage


async def measure(clip: Path, settings: MediaSettings, jobs: int) -> dict[str, float]:
    """Run `jobs` encodes at a time."""
    with tempfile.TemporaryDirectory() as root:
        folders = [Path(root) / str(number) for number in range(jobs)]
        for folder in folders:
            folder.mkdir()
        start = time.perf_counter()
        ran = await asyncio.gather(*(one_job(clip, settings, folder) for folder in folders))
        wall_s = time.perf_counter() - start
    return {
        "wall_s_per_job": round(wall_s / jobs, 2),
        "cpu_s_per_job": round(sum(cpu for cpu, _ in ran) / jobs, 2),
        "rss_mb": round(max(rss for _, rss in ran)),
    }


async def run(arguments: argparse.Namespace, settings: MediaSettings) -> dict[str, Any]:
    """Measure every way in turn, as often as asked."""
    ways = [(jobs, threads) for jobs in arguments.jobs for threads in arguments.threads]
    found: dict[tuple[int, int], list[dict[str, float]]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as root:
        clip = Path(root) / "clip.mp4"
        await make_clip(settings.ffmpeg, clip, arguments.seconds)
        for _ in range(arguments.repeats):
            for jobs, threads in ways:
                chosen = replace(settings, encoder_threads=threads)
                found[jobs, threads].append(await measure(clip, chosen, jobs))
    return {
        "cores": os.cpu_count(),
        "seconds": arguments.seconds,
        "ways": [
            {
                "jobs": jobs,
                "threads": threads,
                **{name: statistics.median(one[name] for one in ran) for name in ran[0]},
                "repeats": ran,
            }
            for (jobs, threads), ran in found.items()
        ],
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--threads", type=int, nargs="+", default=[0, 1, 2])
    arguments = parser.parse_args()
    with Stack() as stack:
        settings = MediaSettings(ffmpeg=stack.ffmpeg["FFMPEG"], ffprobe=stack.ffmpeg["FFPROBE"])
        json.dump(asyncio.run(run(arguments, settings)), sys.stdout, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
