"""Which renditions a source gets: rungs by its short side, never larger than the source."""

from __future__ import annotations

from dataclasses import dataclass

#: Short side in pixels → cap of the video bitrate in bits per second.
LADDER = {1080: 5_000_000, 720: 2_800_000, 480: 1_400_000, 360: 800_000}
_MIN_BITRATE = 150_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Rung:
    """One rendition to make, with square pixels."""

    #: Short side with a "p"; also the folder's name.
    name: str
    #: Pixels, both even, as 4:2:0 chroma demands.
    width: int
    height: int
    #: Cap of the bitrate in bits per second.
    max_bitrate: int


def choose_rungs(width: int, height: int) -> tuple[Rung, ...]:
    """Return the rungs for a picture of that size as shown (rotated, square pixels), largest first.

    A source below the smallest rung gets one of its own size, so that there is always one.
    """
    short = min(width, height)
    fitting = [side for side in LADDER if side <= short]
    if fitting:
        return tuple(_scaled(width, height, side) for side in fitting)
    even_width, even_height = _even_below(width), _even_below(height)
    side = min(even_width, even_height)
    smallest = min(LADDER)
    return (
        Rung(
            name=f"{side}p",
            width=even_width,
            height=even_height,
            max_bitrate=max(_MIN_BITRATE, LADDER[smallest] * side // smallest),
        ),
    )


def _scaled(width: int, height: int, side: int) -> Rung:
    """Scale so that the short side is exactly `side`; the long one keeps the aspect, made even."""
    long_side = 2 * round(side * max(width, height) / min(width, height) / 2)
    landscape = width >= height
    return Rung(
        name=f"{side}p",
        width=long_side if landscape else side,
        height=side if landscape else long_side,
        max_bitrate=LADDER[side],
    )


def _even_below(pixels: int) -> int:
    return max(2, pixels - pixels % 2)
