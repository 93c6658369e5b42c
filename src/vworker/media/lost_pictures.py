"""How many of a source's pictures FFmpeg could not decode, from what it says of each one. Pure.

Where pictures are missing, the filter that keeps the rate repeats the one before: durations tell
nothing of it. FFmpeg's own bound on errors is off (`-max_error_rate 1`), since it is one for all
tracks, and a text or a sound that cannot be decoded must not cost good pictures.
"""

from __future__ import annotations

import re

from vworker.errors import ErrorCode, TranscodeError
from vworker.media.plan import EncodePlan

#: FFmpeg's "vist" is an input stream of pictures.
_LOST = re.compile(r"\[vist#\d.*\] (?:Error submitting packet to decoder|Decoding error): ")
_REPEATED = re.compile(r"Last message repeated (\d{1,9}) times")
#: From here on most of what is shown would be a picture that stands still.
_MOST_LOST = 0.5


class LostPictures:
    """Counts them, fed with FFmpeg's lines."""

    def __init__(self) -> None:
        self.count = 0
        self._goes_on = False

    def note(self, line: str) -> None:
        """Take the next line."""
        if repeated := _REPEATED.fullmatch(line):
            self.count += int(repeated[1]) if self._goes_on else 0
            return
        self._goes_on = _LOST.match(line) is not None
        self.count += self._goes_on

    def check(self, plan: EncodePlan) -> None:
        """Refuse a video of which most pictures are lost, as far as it tells how many it has.

        A rate that varies counts as its highest one, which makes the share smaller. Raises
        `TranscodeError` (encode_failed: an FFmpeg that decodes more may do better).
        """
        rate, duration_s = plan.info.video.frame_rate, plan.info.video.duration_s
        if rate is None or duration_s is None:
            return
        pictures = round(float(rate) * duration_s)
        if self.count > pictures * _MOST_LOST:
            raise TranscodeError(
                ErrorCode.ENCODE_FAILED,
                f"The video file is damaged: {self.count} of its {pictures} pictures cannot be "
                "decoded.",
            )
