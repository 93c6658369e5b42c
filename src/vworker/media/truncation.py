"""When a source ends so much sooner than it announces that something is missing. Pure."""

from __future__ import annotations

from vworker.errors import ErrorCode, TranscodeError

#: How much sooner than announced a video may end. Half a second: headers count a last picture that
#: is on show for that long, or round. One in a hundred: they guess from a rate. Five seconds: less
#: than one segment of the usual length, so that no viewer misses a scene.
_SECONDS, _SHARE, _MOST_SECONDS = 0.5, 0.01, 5.0


def earliest_end_s(announced_s: float) -> float:
    """Return the second from which on a video that announces so many may end; pure."""
    tolerance_s = min(max(_SECONDS, announced_s * _SHARE), _MOST_SECONDS)
    return announced_s - tolerance_s


def check_length(*, announced_s: float, found_s: float) -> None:
    """Return when so many seconds are what a file announces.

    Raises `TranscodeError` (source_truncated) that tells both.
    """
    if found_s < earliest_end_s(announced_s):
        raise TranscodeError(
            ErrorCode.SOURCE_TRUNCATED,
            f"The video file is incomplete or damaged: it announces {announced_s:.1f} seconds, but "
            f"only {found_s:.1f} seconds can be read.",
        )
