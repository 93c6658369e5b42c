"""A test clip from FFmpeg's own sources, since no package ships real footage in 1080p."""

import subprocess
from pathlib import Path

DESCRIPTION = (
    "1920x1080, 30 fps, 8 s with stereo sound, made by FFmpeg: a zoom into the Mandelbrot set "
    "with film grain, a test picture that wanders over it, and gliding tones"
)

_WIDTH, _HEIGHT, _SECONDS = 1920, 1080, 8
# The Mandelbrot source is slow: a quarter of the pixels, enlarged, costs a quarter of the time.
_BACKGROUND = f"mandelbrot=size={_WIDTH // 2}x{_HEIGHT // 2}:rate=30:end_scale=0.02:end_pts=240"
_FOREGROUND = "testsrc2=size=640x360:rate=30"
_PICTURE = (
    f"[0:v]noise=all_strength=8:all_flags=t,scale={_WIDTH}:{_HEIGHT}[zoom];"
    "[zoom][1:v]overlay=x=(W-w)*(0.5+0.5*sin(t)):y=(H-h)*(0.5+0.5*cos(1.3*t)),"
    "format=yuv420p[video]"
)
_LEFT = "0.2*sin(2*PI*220*t)+0.15*sin(2*PI*(440+20*sin(PI*t/2))*t)"
_RIGHT = r"0.2*sin(2*PI*330*t)+0.1*sin(2*PI*880*t)*lt(mod(t\,1)\,0.2)"
_SOUND = f"aevalsrc={_LEFT}|{_RIGHT}:s=48000"


class ClipFailed(Exception):
    """FFmpeg did not make the clip; the message has its own words."""


def make_clip(ffmpeg: str, path: Path) -> None:
    """Encode the clip to an MP4 of about 20 MB at `path`, replacing what is there.

    Takes about 5 s of CPU time. Raises ClipFailed.
    """
    sources = [
        part for source in (_BACKGROUND, _FOREGROUND) for part in ("-f", "lavfi", "-i", source)
    ]
    command = [
        *(ffmpeg, "-hide_banner", "-nostdin", "-y", "-loglevel", "error"),
        *sources,
        *("-f", "lavfi", "-i", _SOUND),
        *("-filter_complex", _PICTURE, "-map", "[video]", "-map", "2:a", "-t", str(_SECONDS)),
        *("-c:v", "libx264", "-preset", "ultrafast", "-crf", "26"),
        *("-c:a", "aac", "-b:a", "128k", "-f", "mp4", str(path)),
    ]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode != 0:
        raise ClipFailed(
            f"cannot make the clip: {ffmpeg} ended with exit code {made.returncode}: "
            f"{made.stderr.strip()}; set FFMPEG to a build with libx264, or give a VIDEO"
        )
