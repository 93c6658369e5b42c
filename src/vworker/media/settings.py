"""How the worker runs FFmpeg: programs, profiles, limits, each with its unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from vworker.errors import InvalidPayload
from vworker.media.encoding import Encoding
from vworker.media.limits import SourceLimits
from vworker.sandbox import Sandbox


@dataclass(frozen=True, kw_only=True, slots=True)
class MediaSettings:
    """Programs, profiles and limits of one worker."""

    #: Paths, or names to be found on the PATH.
    ffmpeg: str = "ffmpeg"
    ffprobe: str = "ffprobe"
    #: What the programs run in; without one none is started.
    sandbox: Sandbox | None = None
    source_limits: SourceLimits = field(default_factory=SourceLimits)
    #: How a job that names no profile is encoded.
    encoding: Encoding = field(default_factory=Encoding)
    #: What a job may name instead.
    profiles: Mapping[str, Encoding] = field(default_factory=dict)
    #: Whether a video can be played while it is still encoded.
    early_playback: bool = False
    #: Threads of each rung's encoder; 0 lets x264 choose, None the worker at its start.
    encoder_threads: int | None = None
    #: Codecs that FFmpeg can decode, by ffprobe's names; None, until the worker's start, for all.
    decodes: frozenset[str] | None = None
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

    def encoding_of(self, profile: str | None) -> Encoding:
        """Return how to encode under a profile; None and "default" stand for `encoding`.

        Raises `InvalidPayload`, naming the known ones, for a profile that this worker lacks.
        """
        if profile is None or profile == DEFAULT_PROFILE:
            return self.encoding
        if profile not in self.profiles:
            known = ", ".join(sorted({DEFAULT_PROFILE, *self.profiles}))
            raise InvalidPayload(f"there is no profile {profile!r}; the worker has {known}")
        return self.profiles[profile]


#: The profile of a job that names none.
DEFAULT_PROFILE = "default"
