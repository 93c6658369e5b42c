"""How the worker encodes: every knob of the pipeline, with its unit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class MediaSettings:
    """Programs, encoder settings and limits of one worker."""

    #: Paths, or names to be found on the PATH.
    ffmpeg: str = "ffmpeg"
    ffprobe: str = "ffprobe"
    #: libx264's preset: veryfast scores VMAF 88 at 1080p; medium 91 for 2.3 times the CPU.
    preset: str = "veryfast"
    #: Constant rate factor, 0 to 51; each rung's bitrate is capped besides.
    crf: int = 23
    #: Target length of a segment in seconds; a multiple of `keyframe_s`.
    segment_s: int = 6
    #: Distance of keyframes in seconds, alike in all rungs.
    keyframe_s: int = 2
    #: Seconds without any progress of FFmpeg after which it is killed.
    stall_timeout_s: float = 120.0
    #: Seconds that a probe may take.
    probe_timeout_s: float = 60.0
    #: Seconds between SIGTERM and SIGKILL.
    stop_grace_s: float = 5.0
    #: Segments on their way to S3 at the same time, per job.
    uploads_at_once: int = 4
    #: Bytes that must be free on the scratch disk beside the source before a job begins.
    disk_reserve_bytes: int = 256 * 1024 * 1024
    #: An encode is given up when less is free: FFmpeg 8.1 does not notice a full disk, it leaves
    #: cut segments and exits with 0. Half a second of output of several jobs must fit.
    disk_floor_bytes: int = 32 * 1024 * 1024
