"""Measure the worker beside Shaka Streamer, keep the result, print the figures and their bounds.

    python -m benchmarks.shaka [--seconds 20] [--rounds 3] [--segment 2] [--minutes 60]

Both programs make four rungs and a stereo sound from the same file, with the same FFmpeg, x264's
preset slow, keyframes and segments of the same length, at the same mean bitrates (`rounds.py`).
They run in turns, and each ratio is of one round. Exits with 1 when a bound is missed or there was
no time to look, with 2 when the tools cannot be had.
"""

import argparse
import asyncio
import compileall
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.machine import host
from benchmarks.peers.catalogue import ROOT
from benchmarks.results import FOLDER
from benchmarks.shaka.programs import PRESET, Programs
from benchmarks.shaka.rounds import Found, measure_rounds
from benchmarks.shaka.source import DESCRIPTION, make_source
from benchmarks.shaka.tools import Tools, make_tools
from benchmarks.shaka.verdict import figures_of, rates_table
from benchmarks.transcode.figures import table

#: Of the shape of a result file.
FORMAT = 1


async def measure(arguments: argparse.Namespace, tools: Tools, folder: Path) -> Found:
    """Measure for at most the minutes that were given."""
    found = Found()
    # As pip leaves what it installs; Shaka Streamer was installed.
    compileall.compile_dir(ROOT / "src", quiet=1)
    try:
        async with asyncio.timeout(arguments.minutes * 60):
            source = folder / "source.mp4"
            if arguments.source is None:
                await make_source(tools, source, arguments.seconds)
            else:
                source = arguments.source.resolve()
            programs = Programs(
                tools=tools, source=source, folder=folder, segment_s=arguments.segment
            )
            await measure_rounds(programs, arguments.rounds, found)
    except TimeoutError:
        print(f"stopped after {arguments.minutes:g} minutes", file=sys.stderr)
    return found


def write_result(
    found: Found, arguments: argparse.Namespace, machine: Mapping[str, object], tools: Tools
) -> Path:
    """Write the result file; return its path."""
    folder: Path = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"shaka-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    content = {
        "format": FORMAT,
        "machine": machine,
        "ffmpeg": _version(tools.ffmpeg),
        "meter": _version(tools.meter),
        "source": DESCRIPTION if arguments.source is None else arguments.source.name,
        "preset": PRESET,
        "segment_s": arguments.segment,
        **asdict(found),
    }
    path.write_text(json.dumps(content, indent=1) + "\n")
    return path


def _version(ffmpeg: Path) -> str:
    told = subprocess.run([str(ffmpeg), "-version"], check=True, capture_output=True, text=True)
    return told.stdout.splitlines()[0]


def main() -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shaka", description=__doc__)
    parser.add_argument("--seconds", type=int, default=20, help="length of the source (20)")
    parser.add_argument("--source", type=Path, help="a video of your own in 1920x1080 instead")
    parser.add_argument("--rounds", type=int, default=3, help="of both programs (3)")
    parser.add_argument("--segment", type=int, default=2, help="seconds; keyframes, too (2)")
    parser.add_argument("--minutes", type=float, default=60, help="bound on it all (60)")
    parser.add_argument("--folder", type=Path, default=FOLDER / "transcode", help="of results")
    arguments = parser.parse_args()
    try:
        tools = make_tools()
    except subprocess.CalledProcessError as error:
        print(f"benchmarks.shaka: {error}; is there an index of packages?", file=sys.stderr)
        return 2
    machine = host("benchmarks.shaka")
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measure(arguments, tools, Path(folder)))
    figures = figures_of(found)
    print(f"{rates_table(found)}\n\n{table(figures)}")
    print(f"\n{write_result(found, arguments, machine, tools)}")
    return 0 if all(figure.kept for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
