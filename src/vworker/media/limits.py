"""What a source may be at most, and how long its encode may take: looked at before any encode."""

from __future__ import annotations

from dataclasses import dataclass

from vworker.errors import ErrorCode, TranscodeError
from vworker.media.source import SourceInfo

#: Seconds that the output of a source of the greatest duration may last longer, by a picture at the
#: lowest rate.
_OVERRUN_S = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceLimits:
    """Bounds that keep one file from taking a worker for days, or all its memory."""

    #: Of a picture. 8192 x 4352: 8K with some room.
    max_pixels: int = 35_651_584
    #: Of any kind.
    max_streams: int = 64
    #: Seconds.
    max_duration_s: float = 12 * 3600.0
    #: Frames per second as the source has them; above 60 they are lowered anyway.
    max_frame_rate: float = 1000.0
    #: Seconds that a run of FFmpeg over a source may take: these, and
    time_base_s: float = 600.0
    #: so many for each second of the source. With four rungs, two jobs on two cores need 3 at
    #: 1080p, and ten times that with a slow preset or from 4K.
    time_factor: float = 30.0

    def check(self, source: SourceInfo) -> None:
        """Return when a source is within the limits; pure.

        Raises `TranscodeError` (source_over_limit) that names the limit.
        """
        video = source.video
        duration_s = max(video.duration_s or 0.0, source.container_duration_s or 0.0)
        rate = float(video.frame_rate or 0)
        found = (
            (
                f"pictures of {video.width}x{video.height}",
                video.width * video.height,
                self.max_pixels,
                "pixels",
            ),
            (f"a duration of {duration_s:.0f} s", duration_s, self.max_duration_s, "s"),
            (f"{rate:.0f} frames a second", rate, self.max_frame_rate, "a second"),
        )
        for what, value, limit, unit in found:
            if value > limit:
                raise TranscodeError(
                    ErrorCode.SOURCE_OVER_LIMIT,
                    f"The video has {what}, and this service takes at most {limit:g} {unit}.",
                )

    def check_written(self, seconds: float) -> None:
        """Return when an encode that has written so many seconds may go on; pure.

        A header can say less than there is, and the time between two pictures is filled up.
        Raises `TranscodeError` (source_over_limit).
        """
        if seconds > self.max_duration_s + _OVERRUN_S:
            raise TranscodeError(
                ErrorCode.SOURCE_OVER_LIMIT,
                f"The video goes on after the {self.max_duration_s:g} s that this service takes at "
                "most.",
            )

    def time_limit_s(self, duration_s: float | None) -> float:
        """Return how long a run over a source may take; None when none of its packets has a time.

        Such a file is read within the time that any file may take.
        """
        return self.time_base_s + self.time_factor * (duration_s or 0.0)
