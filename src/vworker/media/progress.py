"""FFmpeg's own progress reports: the `key=value` lines that `-progress` writes, block by block."""

from __future__ import annotations

from dataclasses import dataclass

_MAX_LINE_BYTES = 4096


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """One block of values; all outputs of a process share it."""

    #: Microseconds of output written; None when FFmpeg does not know yet ("N/A").
    out_time_us: int | None
    #: Frames of the first output.
    frame: int | None
    #: Whether it is the last block: FFmpeg has closed its files, after a failure too.
    ended: bool = False

    @property
    def written_s(self) -> float:
        """Seconds of output written; 0 as long as FFmpeg does not know."""
        return (self.out_time_us or 0) / 1e6

    def fraction_of(self, duration_s: float | None) -> float:
        """Return how much of `duration_s` is done, 0 to 1; 0 as long as either is unknown.

        A probed duration can be wrong by a factor, so that 1 does not mean finished.
        """
        return min(max(self.written_s / duration_s, 0.0), 1.0) if duration_s else 0.0


class ProgressParser:
    """Turns the bytes of `-progress pipe:1` into blocks; passes over lines that are damaged."""

    def __init__(self) -> None:
        self._open = b""
        self._values: dict[str, str] = {}

    def feed(self, data: bytes) -> list[Progress]:
        """Take the next bytes, cut anywhere; return the blocks that they complete."""
        *lines, self._open = (self._open + data).split(b"\n")
        self._open = self._open[:_MAX_LINE_BYTES]
        blocks = []
        for line in lines:
            key, equals, value = line.decode(errors="replace").partition("=")
            if not equals:
                continue
            if key.strip() == "progress":
                blocks.append(self._block(ended=value == "end"))
                self._values.clear()
            elif key in {"out_time_us", "frame"}:
                self._values[key] = value
        return blocks

    def _block(self, *, ended: bool) -> Progress:
        return Progress(
            out_time_us=_integer(self._values.get("out_time_us")),
            frame=_integer(self._values.get("frame")),
            ended=ended,
        )


def _integer(text: str | None) -> int | None:
    digits = (text or "").strip()
    # At most 18 digits: longer ones are garbage, and int() refuses them from 4300 on.
    if not digits.removeprefix("-").isdecimal() or len(digits) > 18:
        return None
    return int(digits)
