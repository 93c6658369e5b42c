"""HDR and wide gamut to BT.709: a colour cube of our own, which every build of FFmpeg can apply.

FFmpeg's ways of its own depend on the build: zscale is missing from many, and swscale's tone
mapping (from 7.1 on) spends nine CPU seconds on a table of its own before the first picture.
`lut3d` is in all of them and costs about as much as the scaling. Ours is the curve of ITU-R BT.2390
(part 5.4.1) from the source's brightest light to 203 cd/m², the diffuse white of BT.2408, applied
to the largest of the three primaries, so that hues stay. What lies outside of BT.709 is drawn
towards grey of the same luminance until it fits.

Dynamic metadata (HDR10+, Dolby Vision's enhancement) are not used. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

from vworker.media.source import Colour, Transfer

#: Points along each side of the cube: 36 000 in all, a megabyte of text.
_POINTS = 33
#: Brightest light in cd/m² when the file does not tell: what most masters are graded for.
_USUAL_PEAK = 1000.0
_WHITE = 203.0
_LUMA_709 = (0.2126, 0.7152, 0.0722)
_LUMA_2020 = (0.2627, 0.6780, 0.0593)
#: Linear light of each primaries to that of BT.709.
_TO_709 = {
    "bt2020": (
        (1.660491, -0.587641, -0.072850),
        (-0.124550, 1.132900, -0.008349),
        (-0.018151, -0.100579, 1.118730),
    ),
    "smpte432": (
        (1.224940, -0.224940, 0.0),
        (-0.042057, 1.042057, 0.0),
        (-0.019638, -0.078636, 1.098274),
    ),
}
_RGB = tuple[float, float, float]


def needs_cube(colour: Colour) -> bool:
    """Whether a picture looks wrong when its code values are taken for BT.709's."""
    return colour.transfer is not Transfer.SDR or colour.primaries in _TO_709


def cube(colour: Colour) -> str:
    """Return the text of a .cube file that takes full-range RGB of `colour` to BT.709.

    Takes about 0.3 s of CPU time the first time that it is asked for a kind of source.
    """
    primaries = colour.primaries if colour.primaries in _TO_709 else None
    if primaries is None and colour.transfer is not Transfer.SDR:
        primaries = "bt2020"
    return _cube(colour.transfer, primaries, colour.peak_nits or _USUAL_PEAK)


@lru_cache(maxsize=4)
def _cube(transfer: Transfer, primaries: str | None, peak: float) -> str:
    steps = [number / (_POINTS - 1) for number in range(_POINTS)]
    to_light = _DECODERS[transfer]
    matrix = _TO_709[primaries or "bt2020"]
    compress = None if transfer is Transfer.SDR else _compressor(peak)
    lines = [f"LUT_3D_SIZE {_POINTS}"]
    for blue in steps:
        for green in steps:
            for red in steps:
                light = to_light((red, green, blue))
                if compress is not None:
                    light = compress(light)
                shown = _fitted(_converted(light, matrix))
                lines.append(" ".join(f"{value ** (1 / 2.4):.5f}" for value in shown))
    return "\n".join(lines) + "\n"


def _pq_to_nits(code: float) -> float:
    """SMPTE ST 2084's EOTF: code value from 0 to 1 to cd/m²."""
    power = code ** (1 / 78.84375)
    return float(10_000 * (max(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)) ** 6.277395)


def _nits_to_pq(nits: float) -> float:
    power = (max(nits, 0) / 10_000) ** 0.1593017578125
    return float(((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375)


def _pq_light(code: _RGB) -> _RGB:
    red, green, blue = (_pq_to_nits(value) / _WHITE for value in code)
    return red, green, blue


def _hlg_light(code: _RGB) -> _RGB:
    """BT.2100's inverse OETF and OOTF for a display of 1000 cd/m²."""
    scene = [
        value**2 / 3
        if value <= 0.5
        else (math.exp((value - 0.55991073) / 0.17883277) + 0.28466892) / 12
        for value in code
    ]
    luminance = sum(weight * value for weight, value in zip(_LUMA_2020, scene, strict=True))
    gain = 1000 * luminance**0.2 / _WHITE
    return scene[0] * gain, scene[1] * gain, scene[2] * gain


def _sdr_light(code: _RGB) -> _RGB:
    red, green, blue = (value**2.4 for value in code)
    return red, green, blue


_DECODERS: dict[Transfer, Callable[[_RGB], _RGB]] = {
    Transfer.PQ: _pq_light,
    Transfer.HLG: _hlg_light,
    Transfer.SDR: _sdr_light,
}


def _compressor(peak: float) -> Callable[[_RGB], _RGB]:
    """Return BT.2390's EETF from `peak` cd/m² to white, on light where 1 is white."""
    top = _nits_to_pq(peak)
    white = _nits_to_pq(_WHITE) / top
    knee = 1.5 * white - 0.5

    def compress(light: _RGB) -> _RGB:
        largest = max(light)
        level = min(_nits_to_pq(largest * _WHITE) / top, 1.0)
        if white >= 1 or level <= knee:
            return light
        t = (level - knee) / (1 - knee)
        spline = (
            (2 * t**3 - 3 * t**2 + 1) * knee
            + (t**3 - 2 * t**2 + t) * (1 - knee)
            + (3 * t**2 - 2 * t**3) * white
        )
        gain = _pq_to_nits(spline * top) / _WHITE / largest
        return light[0] * gain, light[1] * gain, light[2] * gain

    return compress


def _converted(light: _RGB, matrix: tuple[_RGB, _RGB, _RGB]) -> _RGB:
    red, green, blue = (
        sum(factor * value for factor, value in zip(row, light, strict=True)) for row in matrix
    )
    return red, green, blue


def _fitted(light: _RGB) -> _RGB:
    """Draw a colour towards the grey of its luminance until all of it lies between 0 and 1."""
    grey = sum(weight * value for weight, value in zip(_LUMA_709, light, strict=True))
    grey = min(max(grey, 0.0), 1.0)
    share = 1.0
    for value in light:
        if value < 0:
            share = min(share, grey / (grey - value))
        elif value > 1:
            share = min(share, (1 - grey) / (value - grey))
    red, green, blue = (min(max(grey + (value - grey) * share, 0.0), 1.0) for value in light)
    return red, green, blue
