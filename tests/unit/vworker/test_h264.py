import pytest

from vworker.media.h264 import (
    find_parameter_set,
    lowest_level,
    nal_units,
    read_parameter_set,
)

#: 1280x720, High profile, level 3.1, written by x264.
HD = bytes.fromhex("6764001facd9405005bb0110000003001000000303c0f1831960")
PICTURE = b"\x00\x00\x00\x01\x09\xf0\x00\x00\x00\x01" + HD + b"\x00\x00\x01\x65\x88\x84"


def test_a_parameter_set_is_read() -> None:
    found = read_parameter_set(HD)
    assert (found.width, found.height) == (1280, 720)
    assert (found.profile, found.level) == (100, 31)
    assert found.codec == "avc1.64001f"
    assert found.progressive
    assert found.square_pixels


def test_a_byte_stream_is_cut_into_units() -> None:
    assert [unit[0] & 31 for unit in nal_units(PICTURE)] == [9, 7, 5]
    assert find_parameter_set(nal_units(PICTURE)) == HD
    assert find_parameter_set(nal_units(b"\x00\x00\x01\x65")) is None


@pytest.mark.parametrize("length", range(len(HD) - 6))
def test_a_parameter_set_that_is_cut_off_is_refused(length: int) -> None:
    try:
        found = read_parameter_set(HD[:length])
    except ValueError:
        return
    # Only what describes neither size nor shape may be missing.
    assert (found.width, found.height) == (1280, 720)


@pytest.mark.parametrize(
    ("size", "rate", "peak", "level"),
    [
        ((640, 360), 30, 800_000, 30),
        ((854, 480), 30, 1_400_000, 31),
        ((1280, 720), 30, 2_800_000, 31),
        ((1280, 720), 60, 2_800_000, 32),
        ((1920, 1080), 30, 5_000_000, 40),
        ((1920, 1080), 60, 5_000_000, 42),
        ((1920, 1080), 30, 40_000_000, 41),
        ((3840, 2160), 60, 20_000_000, 52),
        ((7680, 4320), 60, 20_000_000, 52),
    ],
)
def test_the_lowest_level_follows_from_size_rate_and_bits(
    size: tuple[int, int], rate: float, peak: int, level: int
) -> None:
    assert lowest_level(*size, rate, peak) == level
