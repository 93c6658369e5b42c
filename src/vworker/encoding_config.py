"""The settings that say how videos are encoded, and the file of profiles that one of them names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from vworker.media.encoding import Encoding, SegmentType
from vworker.media.profiles import ProfileError, load_profiles
from vworker.variable import ConfigError, Setting

_LADDER = "1080:5000k,720:2800k,480:1400k,360:800k"


def load_encodings(preset: str, setting: Setting) -> tuple[Encoding, Mapping[str, Encoding]]:
    """Return the worker's own encoding and its profiles.

    Raises ConfigError, naming the setting at fault and what to do.
    """
    loudness = setting("WORKER_LOUDNESS", "off")
    try:
        encoding = Encoding(
            ladder=_ladder(setting("WORKER_LADDER", _LADDER)),
            preset=preset,
            crf=_whole("WORKER_CRF", setting("WORKER_CRF", "23")),
            segment_s=_whole("WORKER_SEGMENT_SECONDS", setting("WORKER_SEGMENT_SECONDS", "6")),
            keyframe_s=_whole("WORKER_KEYFRAME_SECONDS", setting("WORKER_KEYFRAME_SECONDS", "2")),
            segments=_segment_type(setting("WORKER_SEGMENT_TYPE", SegmentType.TS)),
            audio_bitrate=_bitrate(setting("WORKER_AUDIO_BITRATE", "128k"), "WORKER_AUDIO_BITRATE"),
            loudness_lufs=None if loudness == "off" else _loudness(loudness),
        )
    except ValueError as error:
        raise ConfigError(
            f"the encoding of WORKER_LADDER, WORKER_CRF, WORKER_SEGMENT_SECONDS, "
            f"WORKER_KEYFRAME_SECONDS, WORKER_AUDIO_BITRATE and WORKER_LOUDNESS cannot be used: "
            f"{error}"
        ) from error
    path = setting("WORKER_PROFILES", "")
    try:
        return encoding, load_profiles(encoding, Path(path) if path else None)
    except ProfileError as error:
        raise ConfigError(f"WORKER_PROFILES={path} cannot be used: {error}") from error


def _ladder(text: str) -> dict[int, int]:
    rungs = [rung.strip().partition(":") for rung in text.split(",")]
    return {
        _whole("WORKER_LADDER", side): _bitrate(rate, "WORKER_LADDER") for side, _, rate in rungs
    }


def _bitrate(text: str, name: str) -> int:
    """Read bits per second, with k for thousands."""
    found = re.fullmatch(r"(\d{1,9})(k?)", text, re.ASCII)
    if found is None:
        raise ConfigError(
            f"{name} holds {text!r}, which is no bitrate: give bits per second, like 800k"
        )
    return int(found[1]) * (1000 if found[2] else 1)


def _whole(name: str, text: str) -> int:
    if re.fullmatch(r"\d{1,9}", text, re.ASCII) is None:
        raise ConfigError(f"{name} holds {text!r}, which is no whole number")
    return int(text)


def _segment_type(text: str) -> SegmentType:
    if text not in set(SegmentType):
        raise ConfigError(
            f"WORKER_SEGMENT_TYPE={text!r} cannot be used: choose {', '.join(SegmentType)}"
        )
    return SegmentType(text)


def _loudness(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ConfigError(
            f"WORKER_LOUDNESS={text!r} cannot be used: give LUFS from -70 to -5, or off"
        ) from None
