"""The colour cube: known lights come out where the standards put them."""

import pytest

from vworker.media.source import Colour, Transfer
from vworker.media.tone_map import cube, needs_cube

POINTS = 33
PQ = Colour(transfer=Transfer.PQ, primaries="bt2020")
HLG = Colour(transfer=Transfer.HLG, primaries="bt2020")
WIDE = Colour(primaries="bt2020")


def at(colour: Colour, red: float, green: float, blue: float) -> tuple[float, ...]:
    """The cube's value at its point nearest to a colour."""
    r, g, b = (round(value * (POINTS - 1)) for value in (red, green, blue))
    lines = cube(colour).splitlines()
    return tuple(float(value) for value in lines[1 + r + POINTS * (g + POINTS * b)].split())


def greys(colour: Colour) -> list[float]:
    return [at(colour, n / (POINTS - 1), n / (POINTS - 1), n / (POINTS - 1))[0] for n in range(33)]


@pytest.mark.parametrize("colour", [PQ, HLG, WIDE])
def test_black_stays_black_and_brighter_stays_brighter(colour: Colour) -> None:
    values = greys(colour)
    assert values[0] == 0
    assert values == sorted(values)
    assert values[-1] == pytest.approx(1, abs=0.001)


@pytest.mark.parametrize("colour", [PQ, HLG, WIDE])
def test_grey_stays_grey(colour: Colour) -> None:
    for step in (0.25, 0.5, 0.75, 1.0):
        red, green, blue = at(colour, step, step, step)
        assert red == pytest.approx(green, abs=0.001)
        assert blue == pytest.approx(green, abs=0.001)


def test_dark_and_middle_light_is_not_changed_by_the_curve() -> None:
    # PQ 0.4375 is 48.6 cd/m², below the knee: (48.6 / 203) ** (1 / 2.4)
    assert at(PQ, 0.4375, 0.4375, 0.4375)[1] == pytest.approx(0.551, abs=0.002)


def test_the_sources_peak_becomes_white_and_less_is_kept_apart() -> None:
    bright = Colour(transfer=Transfer.PQ, primaries="bt2020", peak_nits=4000)
    # PQ 0.75 is 983 cd/m²: nearly all of 1000, but well below 4000
    assert at(PQ, 0.75, 0.75, 0.75)[1] == pytest.approx(1.0, abs=0.005)
    assert at(bright, 0.75, 0.75, 0.75)[1] < 0.985


def test_diffuse_white_of_hlg_stays_bright() -> None:
    # BT.2408: 75 % HLG is 203 cd/m² on a display of 1000
    assert 0.8 < at(HLG, 0.75, 0.75, 0.75)[1] < 0.95


@pytest.mark.parametrize("colour", [PQ, HLG, WIDE])
def test_a_colour_outside_of_the_gamut_keeps_its_hue(colour: Colour) -> None:
    red, green, blue = at(colour, 0.0, 0.5, 0.0)
    assert green > max(red, blue)
    assert min(red, blue) >= 0


def test_standard_range_in_a_wide_gamut_keeps_its_light() -> None:
    assert at(WIDE, 0.5, 0.5, 0.5)[1] == pytest.approx(0.5, abs=0.002)


@pytest.mark.parametrize(
    ("colour", "needed"),
    [
        (PQ, True),
        (HLG, True),
        (WIDE, True),
        (Colour(transfer=Transfer.PQ), True),
        (Colour(primaries="smpte432"), True),
        (Colour(), False),
        (Colour(primaries="bt709"), False),
        (Colour(primaries="bt470bg"), False),
    ],
)
def test_only_what_looks_wrong_as_it_is_needs_a_cube(colour: Colour, needed: bool) -> None:
    assert needs_cube(colour) is needed
