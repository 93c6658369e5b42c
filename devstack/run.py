"""`make run` and `make serve`: the whole system on one machine."""

import contextlib
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from devstack import clip
from devstack.checks import (
    MASTER_NAME,
    OutputWrong,
    Rendition,
    check_output,
    check_rules,
    download,
)
from devstack.daemons import Daemons
from devstack.process import log_tail
from devstack.stack import Stack

_BAR_WIDTH = 40


class TranscodeFailed(Exception):
    """The video did not become playable; the message has the API's reason and the worker's log."""


def serve(folder: Path) -> None:
    """Keep servers, API and worker up until a signal, with their data in `folder`.

    Raises ServerError or DaemonFailed when a part does not start, or ends by itself.
    """
    with _system(folder) as system:
        _print_addresses(system)
        print("ready: Ctrl-C stops everything; the data stay for the next time", flush=True)
        while True:
            system.daemons.check()
            time.sleep(1)


def run(folder: Path, video: Path | None) -> None:
    """Send `video`, or a clip made for it, through the API and check everything that comes out.

    The clip must keep every rule of the checker; a `video` only those that must be kept, since some
    that should be depend on what it shows. Raises TranscodeFailed, OutputWrong and what the parts
    raise; what was started is stopped in every case. The data stay in `folder`.
    """
    started = time.monotonic()
    is_ours = video is None
    with _system(folder) as system, TemporaryDirectory(dir=folder) as scratch:
        if video is None:
            video = Path(scratch) / "clip.mp4"
            print(f"making a clip: {clip.DESCRIPTION}", flush=True)
            clip.make_clip(system.env["FFMPEG"], video)
        video_id = _transcode(system, video)
        print("checking the result: playlists, segments, decoding", flush=True)
        output = download(system.env, f"videos/{video_id}/", Path(scratch))
        renditions = check_output(output, source=video, env=system.env)
        _check_playback(system.daemons, video_id, (output / MASTER_NAME).read_bytes())
        master_url = f"{system.daemons.api.url}{_playback_path(video_id)}"
        verdict = check_rules(master_url, strict=is_ours)
        _print_renditions(renditions)
        print(f"\nrules     {verdict}: python -m vworker check {master_url}")
        print(f"video     {system.daemons.api.url}/v1/videos/{video_id}")
        print(f"player    {system.daemons.api.url}/watch/{video_id}")
        print(f"playlist  {master_url}")
        print(f"S3        s3://{system.env['S3_BUCKET']}/{output.relative_to(scratch)}/")
        print(f"logs      {system.daemons.log_path('vapi')}  {system.daemons.log_path('vworker')}")
    print(
        f"\nAll is well, after {time.monotonic() - started:.0f} s. Everything is stopped; "
        "`make serve` brings it up again, with this video."
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _System:
    daemons: Daemons
    #: `Stack.env`.
    env: Mapping[str, str]


@contextlib.contextmanager
def _system(folder: Path) -> Iterator[_System]:
    with Stack(folder=folder) as stack:
        print("starting Redis, MongoDB, S3, the API and the worker", flush=True)
        env = stack.start()
        with Daemons(env, stack.folder) as daemons:
            yield _System(daemons=daemons, env=env)


def _transcode(system: _System, video: Path) -> str:
    """Upload the video and show its progress to the end; gives its id."""
    size_mb = video.stat().st_size / 1_000_000
    print(f"sending {video.name}, {size_mb:.1f} MB", flush=True)
    api = system.daemons.api
    sent = time.monotonic()
    video_id = api.upload(video)
    bar = _Bar()
    for state in api.states(video_id):
        bar.draw(state.progress, state.status, f"{time.monotonic() - sent:.0f} s")
        system.daemons.check()
    bar.end()
    document = api.video(video_id)
    if document["status"] != "completed":
        error = document.get("error") or {}
        raise TranscodeFailed(
            f"{video} is {document['status']}: {error.get('message')} ({error.get('code')}); "
            + log_tail(system.daemons.log_path("vworker"))
        )
    return video_id


class _Bar:
    """One line that redraws itself in a terminal; elsewhere a line per status and tenth."""

    def __init__(self) -> None:
        self._redraws = sys.stdout.isatty()
        self._drawn: tuple[str, int] | None = None

    def draw(self, percent: float, status: str, elapsed: str) -> None:
        """Show a state that is new."""
        filled = int(_BAR_WIDTH * percent / 100)
        line = f"[{'#' * filled:.<{_BAR_WIDTH}}] {percent:3.0f} %  {status}, {elapsed}"
        step = (status, int(percent / 10))
        if self._redraws:
            print(f"\r{line}\033[K", end="", flush=True)
        elif step != self._drawn:
            print(line, flush=True)
        self._drawn = step

    def end(self) -> None:
        """Leave the line."""
        if self._redraws:
            print(flush=True)


def _playback_path(video_id: str) -> str:
    return f"/v1/videos/{video_id}/hls/{MASTER_NAME}"


def _check_playback(daemons: Daemons, video_id: str, master: bytes) -> None:
    status, body = daemons.api.get(_playback_path(video_id))
    if status != 200 or body != master:
        raise OutputWrong(
            f"GET {_playback_path(video_id)} answers {status} with {len(body)} bytes, "
            f"not the {len(master)} bytes of the {MASTER_NAME} in S3"
        )


def _print_renditions(renditions: list[Rendition]) -> None:
    print(f"\n{'rendition':<10} {'picture':<10} {'segments':>8} {'bytes':>12} {'seconds':>8}")
    for found in renditions:
        print(
            f"{found.name:<10} {found.resolution or 'sound':<10} {found.segments:>8} "
            f"{found.size_bytes:>12,} {found.duration_s:>8.2f}"
        )


def _print_addresses(system: _System) -> None:
    print(f"API       {system.daemons.api.url}/v1/videos")
    for name in ("REDIS_URL", "MONGODB_URI", "S3_ENDPOINT_URL", "S3_BUCKET"):
        if name in system.env:
            print(f"{name}={system.env[name]}")
    print(f"logs      {system.daemons.log_path('vapi')}  {system.daemons.log_path('vworker')}")
