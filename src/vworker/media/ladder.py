"""Which renditions a source gets: rungs by its short side, never larger than the source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_MIN_BITRATE = 150_000
#: Pixels. H.264 at level 5.2, the highest that Apple plays, ends at 8688; decoders in phones and
#: televisions before that.
_MAX_LONG_SIDE = 4096


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


def choose_rungs(width: int, height: int, ladder: Mapping[int, int]) -> tuple[Rung, ...]:
    """Return the rungs for a picture of that size as shown (rotated, square pixels), largest first.

    `ladder` holds the short sides in pixels and the caps of their bitrates. A source below the
    smallest rung gets one of its own size, so that there is always one; a ribbon that is longer
    than decoders take is made smaller.
    """
    short = min(width, height)
    fitting = (_scaled(width, height, side, ladder[side]) for side in ladder if side <= short)
    rungs = [rung for rung in fitting if max(rung.width, rung.height) <= _MAX_LONG_SIDE]
    if rungs:
        return tuple(sorted(rungs, key=lambda rung: rung.width, reverse=True))
    return (_own(width, height, ladder),)


def _own(width: int, height: int, ladder: Mapping[int, int]) -> Rung:
    shrink = min(1.0, _MAX_LONG_SIDE / max(width, height))
    even_width, even_height = _even_below(width * shrink), _even_below(height * shrink)
    side = min(even_width, even_height)
    smallest = min(ladder)
    return Rung(
        name=f"{side}p",
        width=even_width,
        height=even_height,
        max_bitrate=max(_MIN_BITRATE, ladder[smallest] * side // smallest),
    )


def _scaled(width: int, height: int, side: int, max_bitrate: int) -> Rung:
    """Scale so that the short side is exactly `side`; the long one keeps the aspect, made even."""
    long_side = 2 * round(side * max(width, height) / min(width, height) / 2)
    landscape = width >= height
    return Rung(
        name=f"{side}p",
        width=long_side if landscape else side,
        height=side if landscape else long_side,
        max_bitrate=max_bitrate,
    )


def _even_below(pixels: float) -> int:
    return max(2, int(pixels) // 2 * 2)
