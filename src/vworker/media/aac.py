"""AAC headers: ADTS in transport streams, AudioSpecificConfig in MP4 (ISO/IEC 14496-3)."""

from __future__ import annotations

from vworker.media.segment import AudioFormat

_SAMPLE_RATES = (
    *(96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000),
    *(22_050, 16_000, 12_000, 11_025, 8_000, 7_350),
)
SAMPLES_PER_FRAME = 1024


def read_adts(stream: bytes) -> tuple[AudioFormat, float]:
    """Return the format of a run of ADTS frames, and its seconds. Raises ValueError."""
    described: AudioFormat | None = None
    at = samples = 0
    while at + 7 <= len(stream):
        if stream[at] != 0xFF or stream[at + 1] & 0xF6 != 0xF0:
            raise ValueError("a frame of sound has no ADTS header")
        if described is None:
            described = AudioFormat(
                object_type=(stream[at + 2] >> 6) + 1,
                sample_rate=_sample_rate(stream[at + 2] >> 2 & 15),
                channels=(stream[at + 2] & 1) << 2 | stream[at + 3] >> 6,
            )
        length = (stream[at + 3] & 3) << 11 | stream[at + 4] << 3 | stream[at + 5] >> 5
        samples += SAMPLES_PER_FRAME * ((stream[at + 6] & 3) + 1)
        at += max(length, 7)
    if described is None or at != len(stream):
        raise ValueError("a run of sound does not end with a frame's end")
    return described, samples / described.sample_rate


def read_audio_config(config: bytes) -> AudioFormat:
    """Read an AudioSpecificConfig (1.6.2.1). Raises ValueError."""
    if len(config) < 2:
        raise ValueError("the description of the sound is too short")
    bits = int.from_bytes(config[:2], "big")
    return AudioFormat(
        object_type=bits >> 11,
        sample_rate=_sample_rate(bits >> 7 & 15),
        channels=bits >> 3 & 15,
    )


def _sample_rate(index: int) -> int:
    if index >= len(_SAMPLE_RATES):
        raise ValueError(f"there is no sample rate with index {index}")
    return _SAMPLE_RATES[index]
