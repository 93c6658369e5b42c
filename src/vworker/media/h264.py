"""H.264 as it lies in segments: NAL units, and the sequence parameter set.

Reads what describes a stream (profile, level, size, progressive or not); decodes no picture.
Sections are those of ITU-T H.264.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

START_CODE = b"\x00\x00\x01"
SLICE = 1
IDR_SLICE = 5
SPS = 7
PPS = 8
#: Profiles whose parameter set tells the chroma format (7.3.2.1.1).
_HIGH_PROFILES = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}
_ALL_SCALING_LISTS = 8
_EXTENDED_SAR = 255
#: Frame sizes in macroblocks and macroblocks per second that a level allows at most (table A-1).
_LEVELS = {
    10: (99, 1_485),
    11: (396, 3_000),
    12: (396, 6_000),
    13: (396, 11_880),
    20: (396, 11_880),
    21: (792, 19_800),
    22: (1_620, 20_250),
    30: (1_620, 40_500),
    31: (3_600, 108_000),
    32: (5_120, 216_000),
    40: (8_192, 245_760),
    41: (8_192, 245_760),
    42: (8_704, 522_240),
    50: (22_080, 589_824),
    51: (36_864, 983_040),
    52: (36_864, 2_073_600),
}
#: Bits per second that a level allows in High profile (table A-1, times 1.25: table A-2).
_LEVEL_RATES = {
    10: 80_000,
    11: 240_000,
    12: 480_000,
    13: 960_000,
    20: 2_500_000,
    21: 5_000_000,
    22: 5_000_000,
    30: 12_500_000,
    31: 17_500_000,
    32: 25_000_000,
    40: 25_000_000,
    41: 62_500_000,
    42: 62_500_000,
    50: 168_750_000,
    51: 300_000_000,
    52: 300_000_000,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoFormat:
    """What a sequence parameter set says of a stream."""

    profile: int
    constraints: int
    #: Ten times the level: 40 is level 4.
    level: int
    #: Pixels that are shown, cropping applied.
    width: int
    height: int
    #: Also when the stream does not tell the shape of its pixels.
    square_pixels: bool
    #: False when pictures may be coded as fields.
    progressive: bool

    @property
    def codec(self) -> str:
        """RFC 6381 string, e.g. "avc1.640028"."""
        return f"avc1.{self.profile:02x}{self.constraints:02x}{self.level:02x}"


def lowest_level(width: int, height: int, frame_rate: float, peak_rate: int) -> int:
    """Return ten times the lowest level for that picture; 52, the highest, also beyond it."""
    frame = -(-width // 16) * -(-height // 16)
    for level, (most_blocks, most_per_second) in _LEVELS.items():
        if (
            frame <= most_blocks
            and frame * frame_rate <= most_per_second
            and peak_rate <= _LEVEL_RATES[level]
        ):
            return level
    return max(_LEVELS)


def nal_units(stream: bytes) -> Iterator[bytes]:
    """Yield the NAL units of an Annex B byte stream, without start codes."""
    start = stream.find(START_CODE)
    while start >= 0:
        start += len(START_CODE)
        end = stream.find(START_CODE, start)
        yield (stream[start:] if end < 0 else stream[start:end]).rstrip(b"\x00")
        start = end


def find_parameter_set(units: Iterator[bytes]) -> bytes | None:
    """Return the first sequence parameter set, None when there is none."""
    return next((unit for unit in units if unit and unit[0] & 31 == SPS), None)


def read_parameter_set(unit: bytes) -> VideoFormat:
    """Read a sequence parameter set, its NAL header included. Raises ValueError."""
    if len(unit) < 4 or unit[0] & 31 != SPS:
        raise ValueError("no H.264 sequence parameter set")
    profile, constraints, level = unit[1], unit[2], unit[3]
    bits = _Bits(unit[4:].replace(b"\x00\x00\x03", b"\x00\x00"))
    bits.unsigned()  # seq_parameter_set_id
    chroma = 1
    if profile in _HIGH_PROFILES:
        chroma = bits.unsigned()
        _skip_high_profile(bits, chroma)
    bits.unsigned()  # log2_max_frame_num_minus4
    _skip_picture_order(bits)
    bits.unsigned()  # max_num_ref_frames
    bits.take(1)  # gaps_in_frame_num_value_allowed_flag
    blocks_wide = bits.unsigned() + 1
    map_units_high = bits.unsigned() + 1
    progressive = bits.take(1) == 1  # frame_mbs_only_flag
    if not progressive:
        bits.take(1)  # mb_adaptive_frame_field_flag
    bits.take(1)  # direct_8x8_inference_flag
    crop = [bits.unsigned() for _ in range(4)] if bits.take(1) else [0, 0, 0, 0]
    fields = 1 if progressive else 2
    step_x, step_y = (2 if chroma in {1, 2} else 1), (2 if chroma == 1 else 1) * fields
    return VideoFormat(
        profile=profile,
        constraints=constraints,
        level=level,
        width=16 * blocks_wide - step_x * (crop[0] + crop[1]),
        height=16 * map_units_high * fields - step_y * (crop[2] + crop[3]),
        square_pixels=_has_square_pixels(bits) if bits.take(1) else True,
        progressive=progressive,
    )


def _skip_high_profile(bits: _Bits, chroma: int) -> None:
    if chroma == 3:
        bits.take(1)  # separate_colour_plane_flag
    bits.unsigned()  # bit_depth_luma_minus8
    bits.unsigned()  # bit_depth_chroma_minus8
    bits.take(1)  # qpprime_y_zero_transform_bypass_flag
    if bits.take(1):
        for number in range(_ALL_SCALING_LISTS if chroma != 3 else 12):
            if bits.take(1):
                _skip_scaling_list(bits, 16 if number < 6 else 64)


def _skip_scaling_list(bits: _Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed()) % 256
        last = following or last


def _skip_picture_order(bits: _Bits) -> None:
    kind = bits.unsigned()
    if kind == 0:
        bits.unsigned()
    elif kind == 1:
        bits.take(1)
        bits.signed()
        bits.signed()
        for _ in range(bits.unsigned()):
            bits.signed()


def _has_square_pixels(bits: _Bits) -> bool:
    """Read the start of the VUI (E.1.1)."""
    if not bits.take(1):
        return True
    named = bits.take(8)
    if named == _EXTENDED_SAR:
        return bits.take(16) == bits.take(16)
    return named in {0, 1}


class _Bits:
    """Reads bits, and Exp-Golomb numbers (9.1). Raises ValueError at the end of the data."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def take(self, count: int) -> int:
        if count > self._left:
            raise ValueError("the sequence parameter set ends too early")
        self._left -= count
        return self._value >> self._left & ((1 << count) - 1)

    def unsigned(self) -> int:
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 32:
                raise ValueError("the sequence parameter set has a number beyond 32 bits")
        return (1 << zeros) - 1 + self.take(zeros)

    def signed(self) -> int:
        number = self.unsigned()
        return (number + 1) // 2 if number % 2 else -number // 2
