import pytest

from vworker.media.encoding import Encoding
from vworker.media.ladder import Rung, choose_rungs

LADDER = Encoding().ladder


def rungs_of(width: int, height: int) -> tuple[Rung, ...]:
    return choose_rungs(width, height, LADDER)


def sizes(width: int, height: int) -> list[tuple[str, int, int]]:
    return [(rung.name, rung.width, rung.height) for rung in rungs_of(width, height)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            (1920, 1080),
            [("1080p", 1920, 1080), ("720p", 1280, 720), ("480p", 854, 480), ("360p", 640, 360)],
        ),
        (
            (3840, 2160),
            [("1080p", 1920, 1080), ("720p", 1280, 720), ("480p", 854, 480), ("360p", 640, 360)],
        ),
        (
            (1080, 1920),
            [("1080p", 1080, 1920), ("720p", 720, 1280), ("480p", 480, 854), ("360p", 360, 640)],
        ),
        ((1280, 720), [("720p", 1280, 720), ("480p", 854, 480), ("360p", 640, 360)]),
        ((1279, 719), [("480p", 854, 480), ("360p", 640, 360)]),
        (
            (2560, 1080),
            [("1080p", 2560, 1080), ("720p", 1706, 720), ("480p", 1138, 480), ("360p", 854, 360)],
        ),
        ((720, 720), [("720p", 720, 720), ("480p", 480, 480), ("360p", 360, 360)]),
        ((361, 361), [("360p", 360, 360)]),
        ((320, 240), [("240p", 320, 240)]),
        ((353, 287), [("286p", 352, 286)]),
        ((100, 2000), [("100p", 100, 2000)]),
        ((16, 16), [("16p", 16, 16)]),
        ((1080, 20000), [("220p", 220, 4096)]),
        ((6000, 720), [("480p", 4000, 480), ("360p", 3000, 360)]),
        ((1, 1), [("2p", 2, 2)]),
    ],
)
def test_rungs_by_the_short_side(
    source: tuple[int, int], expected: list[tuple[str, int, int]]
) -> None:
    assert sizes(*source) == expected


def test_no_rung_exceeds_its_source_and_every_side_is_even() -> None:
    for width in range(2, 2200, 37):
        for height in range(2, 2200, 41):
            rungs = rungs_of(width, height)
            assert rungs
            for rung in rungs:
                assert min(rung.width, rung.height) <= min(width, height)
                assert rung.width % 2 == 0
                assert rung.height % 2 == 0


def test_a_rung_keeps_the_aspect_of_its_source() -> None:
    for rung in rungs_of(1998, 1080):
        assert rung.width / rung.height == pytest.approx(1998 / 1080, abs=2 / rung.height)


def test_a_small_source_is_capped_below_the_smallest_rung() -> None:
    (rung,) = rungs_of(320, 180)
    assert 0 < rung.max_bitrate < LADDER[360]
