"""How many threads x264 should get per rung, by how many jobs share the machine.

    python -m benchmarks.encoder_threads [--seconds 5] [--repeats 3] [--jobs 1 2] [--threads 0 1 2]

Runs the worker's own FFmpeg command for the pictures of a made 1080p30 clip (four rungs), as many
at a time as `--jobs` says. The ways take turns, so that a busy neighbour hits all alike. Prints a
table: per way the CPU seconds per job, the resident set of the largest process and the wall seconds
per job, each the median of the repeats. All repeats are kept in results/transcode. Takes three
minutes on two idle cores.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import statistics
import subprocess
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.machine import host
from benchmarks.results import FOLDER
from devstack import Stack
from vworker.media.command_line import all_pictures
from vworker.media.ffmpeg import prepare_folders
from vworker.media.plan import SOURCE_NAME, make_plan
from vworker.media.probe import probe
from vworker.media.settings import MediaSettings
from vworker.sandbox import open_sandbox

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
    (folder / SOURCE_NAME).hardlink_to(clip)
    info = await probe(folder / SOURCE_NAME, settings)
    plan = make_plan(folder, info, settings.encoding)
    prepare_folders(plan)
    status, usage = await asyncio.to_thread(_run, all_pictures(plan, settings), folder)
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


def table(ways: list[dict[str, Any]]) -> str:
    """Return the medians as a Markdown table; pure."""
    lines = ["| jobs at once | threads | CPU s per job | RSS MB | wall s per job |"]
    lines.append("|---|---|---|---|---|")
    for way in ways:
        threads = way["threads"] or "x264's choice"
        lines.append(
            f"| {way['jobs']} | {threads} | {way['cpu_s_per_job']:.1f} | {way['rss_mb']:.0f} "
            f"| {way['wall_s_per_job']:.1f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--threads", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--folder", type=Path, default=FOLDER / "transcode", help="of results")
    arguments = parser.parse_args()
    machine = host("benchmarks.encoder_threads")
    with Stack() as stack:
        ffmpeg, ffprobe = stack.ffmpeg["FFMPEG"], stack.ffmpeg["FFPROBE"]
        # for ffprobe: the encodes run bare, so that each one's own use can be asked of the kernel
        sandbox = open_sandbox("prefer", ffmpeg=ffmpeg, ffprobe=ffprobe)
        settings = MediaSettings(ffmpeg=ffmpeg, ffprobe=ffprobe, sandbox=sandbox)
        found = asyncio.run(run(arguments, settings))
    arguments.folder.mkdir(parents=True, exist_ok=True)
    path = arguments.folder / f"threads-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    path.write_text(json.dumps({"machine": machine, **found}, indent=1) + "\n")
    print(f"{table(found['ways'])}\n\n{path}")


if __name__ == "__main__":
    main()
