"""Shaka Streamer's three configuration files, which make the worker's ladder. Pure.

JSON is YAML, so the files are written as JSON.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

#: Bits per second; the worker's too.
SOUND_RATE = 128_000


def inputs(source: Path) -> dict[str, Any]:
    """The first video and the first sound of a file."""
    return {
        "inputs": [
            {"name": str(source), "media_type": "video"},
            {"name": str(source), "media_type": "audio"},
        ]
    }


def pipeline(sizes: Mapping[str, tuple[int, int]], segment_s: int) -> dict[str, Any]:
    """HLS in fragmented MP4. A segment is a group of pictures: it has no other keyframes."""
    return {
        "streaming_mode": "vod",
        "quiet": True,
        "resolutions": list(sizes),
        "channel_layouts": ["stereo"],
        "audio_codecs": ["aac"],
        "video_codecs": ["h264"],
        "manifest_format": ["hls"],
        "segment_size": segment_s,
        "segment_per_file": True,
        "generate_iframe_playlist": True,
    }


def bitrates(
    sizes: Mapping[str, tuple[int, int]], mean_rates: Mapping[str, float]
) -> dict[str, Any]:
    """Rungs by name: pixels, and the mean rate of the pictures in bits per second."""
    return {
        "audio_channel_layouts": {
            "stereo": {"max_channels": 2, "bitrates": {"aac": str(SOUND_RATE)}}
        },
        "video_resolutions": {
            name: {
                "max_width": width,
                "max_height": height,
                "bitrates": {"h264": str(round(mean_rates[name]))},
            }
            for name, (width, height) in sizes.items()
        },
    }


def nearer(
    asked: Mapping[str, float], made: Mapping[str, float], wanted: Mapping[str, float]
) -> dict[str, float]:
    """What to ask of x264 in the next round, by what it made of what was asked in this one."""
    return {name: asked[name] * wanted[name] / made[name] for name in asked}
