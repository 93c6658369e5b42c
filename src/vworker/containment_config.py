"""The settings that hold FFmpeg and its sources back: sandbox, memory, limits, time."""

from __future__ import annotations

from dataclasses import dataclass

from vworker.media.limits import SourceLimits
from vworker.sandbox import MODES, Limits, Sandbox, SandboxUnavailable, open_sandbox
from vworker.variable import ConfigError, Setting

_MIB = 1024**2
_DEFAULTS = SourceLimits()


@dataclass(frozen=True, kw_only=True, slots=True)
class SandboxSettings:
    """What FFmpeg is to run in."""

    #: One of `vworker.sandbox.MODES`.
    mode: str
    limits: Limits

    def open(self, *, ffmpeg: str, ffprobe: str) -> Sandbox:
        """Return a sandbox in which both programs run; blocks for 0.1 s.

        Raises ConfigError, saying what was tried and what to do.
        """
        try:
            return open_sandbox(self.mode, ffmpeg=ffmpeg, ffprobe=ffprobe, limits=self.limits)
        except SandboxUnavailable as error:
            raise ConfigError(
                f"WORKER_SANDBOX={self.mode}: FFmpeg cannot be confined on this machine. {error}. "
                "Allow user namespaces or use a kernel with Landlock (5.13 and later), or set "
                "WORKER_SANDBOX=rlimits to let it read what this user can"
            ) from error


def load_sandbox(setting: Setting) -> SandboxSettings:
    """Read what FFmpeg runs in. Raises ConfigError, naming the setting at fault."""
    mode = setting("WORKER_SANDBOX", "require")
    if mode not in MODES:
        raise ConfigError(f"WORKER_SANDBOX={mode!r} cannot be used: choose {', '.join(MODES)}")
    memory_mib = _number(setting, "WORKER_MEMORY_LIMIT", 4096, low=256)
    return SandboxSettings(mode=mode, limits=Limits(memory_bytes=int(memory_mib) * _MIB))


def load_source_limits(setting: Setting) -> SourceLimits:
    """Read what a source may be. Raises ConfigError, naming the setting at fault."""
    return SourceLimits(
        max_pixels=int(_number(setting, "WORKER_MAX_PIXELS", _DEFAULTS.max_pixels)),
        max_streams=int(_number(setting, "WORKER_MAX_STREAMS", _DEFAULTS.max_streams)),
        max_duration_s=_number(setting, "WORKER_MAX_DURATION", _DEFAULTS.max_duration_s),
        max_frame_rate=_number(setting, "WORKER_MAX_FRAME_RATE", _DEFAULTS.max_frame_rate),
        time_factor=_number(setting, "WORKER_TIME_FACTOR", _DEFAULTS.time_factor),
    )


def load_stall_timeout(setting: Setting) -> float:
    """Read the watchdog's patience in seconds. Raises ConfigError."""
    return _number(setting, "WORKER_STALL_TIMEOUT", 120)


def _number(setting: Setting, name: str, default: float, *, low: float = 1) -> float:
    text = setting(name, f"{default:.0f}")
    try:
        value = float(text)
    except ValueError:
        value = low - 1
    # What a timer and a 32-bit option of FFmpeg take.
    if not low <= value <= 2**31 - 1:
        raise ConfigError(
            f"{name}={text!r} cannot be used: give a number from {low:g} to {2**31 - 1}"
        )
    return value
