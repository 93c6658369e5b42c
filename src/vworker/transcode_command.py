"""The command `python -m vworker transcode`: the worker's pipeline on local files, no servers."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import logging
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Self

from vworker.containment_config import SandboxSettings, load_sandbox
from vworker.contract import TranscodeRequest, TranscodeResult
from vworker.errors import ERRORS, TranscodeError
from vworker.local_store import LocalStore
from vworker.media.check.checker import check
from vworker.media.check.files import Folder
from vworker.media.check.rules import RULES, Level, Report
from vworker.media.settings import MediaSettings
from vworker.media_config import load_media
from vworker.pipeline import transcode
from vworker.result import MASTER_NAME
from vworker.signals import on_stop_signal
from vworker.toolchain import prepare_ffmpeg
from vworker.variable import ConfigError, read_variable
from vworker.workspace import Workspace

EXIT_OK = 0
EXIT_FAILED = 1
#: sysexits' EX_NOINPUT, EX_CANTCREAT, EX_CONFIG, and what a shell tells of Ctrl-C.
EXIT_NO_INPUT, EXIT_NO_OUTPUT, EXIT_CONFIG, EXIT_INTERRUPTED = 66, 73, 78, 130

_BAR_COLUMNS = 40


class OutputRefused(Exception):
    """The output folder cannot be used; the message says why."""


def build_parser() -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m vworker transcode",
        description="Transcode a local video file to HLS, as the worker does, without servers.",
        epilog=(
            "The encoding, the sandbox and the limits come from the worker's variables "
            "(docs/configuration.md). Nothing is left behind unless the exit code is 0. Exit "
            "codes: 0 done, and every rule is kept that must be; 1 the video cannot be "
            "transcoded; 2 wrong arguments; 66 there is no such file; 73 the folder is not empty "
            "or cannot be written; 78 wrong settings; 130 interrupted."
        ),
    )
    parser.add_argument("source", metavar="IN", type=Path, help="the video file")
    parser.add_argument(
        "--out", metavar="DIR", type=Path, required=True, help="a new or empty folder"
    )
    parser.add_argument("--profile", metavar="NAME", help="one of WORKER_PROFILES")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def main(argv: list[str]) -> int:
    """Transcode, print the table, return the exit code."""
    arguments = build_parser().parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    if not arguments.source.is_file():
        return _refuse(f"there is no file {arguments.source}", EXIT_NO_INPUT)

    def setting(name: str, default: str) -> str:
        return read_variable(os.environ, name, default)

    try:
        media, sandbox = load_media(setting, os.environ), load_sandbox(setting)
        request = TranscodeRequest(
            video_id="local", source=LocalStore.SOURCE_KEY, profile=arguments.profile
        )
        media.encoding_of(request.profile)
        result = asyncio.run(_transcode(arguments.source, arguments.out, request, media, sandbox))
    except ConfigError as error:
        return _refuse(str(error), EXIT_CONFIG)
    except OutputRefused as error:
        return _refuse(str(error), EXIT_NO_OUTPUT)
    except TranscodeError as error:
        lines = (f"[{error.code}] {error}", ERRORS[error.code].remedy, *error.detail)
        return _refuse("\n  ".join(lines), EXIT_FAILED)
    except (asyncio.CancelledError, KeyboardInterrupt):
        return _refuse("interrupted, nothing is left behind", EXIT_INTERRUPTED)
    report = check(Folder(arguments.out), MASTER_NAME, source_s=result.source.duration_s)
    text = _as_json(result, report) if arguments.json else _as_text(result, report)
    print(text)  # noqa: T201 - its use
    return EXIT_OK if report.passed else EXIT_FAILED


def _refuse(message: str, code: int) -> int:
    print(f"vworker transcode: {message}", file=sys.stderr)  # noqa: T201 - its use
    return code


async def _transcode(
    source: Path,
    folder: Path,
    request: TranscodeRequest,
    media: MediaSettings,
    sandbox: SandboxSettings,
) -> TranscodeResult:
    """Run the pipeline; SIGINT and SIGTERM cancel it, and it cleans up."""
    task = asyncio.current_task()
    if task is not None:
        on_stop_signal(asyncio.get_running_loop(), partial(_cancel, task))
    media = await prepare_ffmpeg(media, sandbox, jobs=1)
    with _claimed(folder) as scratch, Workspace(scratch) as workspace, ProgressBar() as bar:
        return await transcode(
            request,
            prefix="",
            storage=LocalStore(source, folder),
            workspace=workspace,
            report=bar.show,
            settings=media,
        )


def _cancel(task: asyncio.Task[Any]) -> None:
    task.cancel()


@contextmanager
def _claimed(folder: Path) -> Iterator[Path]:
    """Make the output folder, or take an empty one; give a folder in it for what is unfinished.

    That one lies on the disk of the output, so that finished files can be linked. What was made
    here is removed in the end, the output folder itself only when the block raises.
    """
    is_new = not folder.exists()
    # FFmpeg is started in a folder below it, where a relative path would lead elsewhere.
    scratch = folder.absolute() / ".work"
    if not is_new and not (folder.is_dir() and not any(folder.iterdir())):
        raise OutputRefused(
            f"{folder} exists and is no empty folder: nothing is overwritten, name a new one"
        )
    try:
        scratch.mkdir(parents=True)
    except OSError as error:
        raise OutputRefused(f"{folder} cannot be written: {error.strerror}") from error
    try:
        yield scratch
    except BaseException:
        scratch.rmdir()
        if is_new:
            folder.rmdir()
        raise
    scratch.rmdir()


class ProgressBar:
    """A line on the terminal that is drawn anew; nothing where standard error is none."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()
        self._started = time.monotonic()

    async def show(self, percent: int) -> None:
        """Draw the bar; `percent` is 0 to 100."""
        if not self._shown:
            return
        done = "#" * (percent * _BAR_COLUMNS // 100)
        elapsed = time.monotonic() - self._started
        sys.stderr.write(f"\r[{done:<{_BAR_COLUMNS}}] {percent:3d} %  {elapsed:.0f} s ")
        sys.stderr.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            sys.stderr.write("\n")


def _as_json(result: TranscodeResult, report: Report) -> str:
    findings = [
        {"rule": f.rule.number, "level": f.rule.level, "where": f.where, "found": f.found}
        for f in report.findings
    ]
    checked: Mapping[str, object] = {"passed": report.passed, "findings": findings}
    return json.dumps({"result": dataclasses.asdict(result), "check": checked}, indent=2)


def _as_text(result: TranscodeResult, report: Report) -> str:
    """Return a line for every rendition, then the sum and the checker's verdict."""
    row = "{:<14}{:>11}{:>10}{:>12}{:>12}{:>12}".format
    lines = [row("rendition", "picture", "segments", "MB", "mean kbit/s", "peak kbit/s")]
    for rung in result.renditions:
        size = f"{rung.width}x{rung.height}"
        rates = (f"{rung.average_bandwidth / 1000:.0f}", f"{rung.bandwidth / 1000:.0f}")
        lines.append(row(rung.name, size, rung.segments, _megabytes(rung.size_bytes), *rates))
    for track in result.audio_tracks:
        rates = (f"{track.average_bandwidth / 1000:.0f}", f"{track.bandwidth / 1000:.0f}")
        lines.append(row(track.name, "", track.segments, _megabytes(track.size_bytes), *rates))
    for text in result.subtitles:
        lines.append(row(text.name, "", text.segments, _megabytes(text.size_bytes), "", ""))
    kept = len(RULES) - len({finding.rule.number for finding in report.findings})
    timings = result.timings
    lines += [
        "",
        f"{result.renditions[0].duration_s:.1f} s of video, {_megabytes(result.size_bytes)} MB, "
        f"encoded in {timings.encode_s:.1f} s, measured and checked in {timings.publish_s:.1f} s",
        f"{kept} of {len(RULES)} rules are kept",
        *(
            f"{'BROKEN' if finding.rule.level is Level.MUST else 'no':<7}{finding}"
            for finding in report.findings
        ),
        result.playlist,
    ]
    return "\n".join(lines)


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.2f}"
