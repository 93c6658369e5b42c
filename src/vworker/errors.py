"""Everything that vworker raises on purpose.

WorkerError
├── TranscodeError        one job failed: a code, a sentence for the user, "is a retry worth it?"
│   └── InvalidPayload    a job's data or result does not have the agreed shape
└── StorageError          one S3 call failed: what was attempted, on which key
    ├── ObjectNotFound    no such object
    ├── RangeNotSatisfiable   the object is shorter than the asked range
    ├── UploadTooLarge    the stream went on after its limit
    └── StorageUnavailable    no answer, refused, or broken off: try again later
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class ErrorCode(StrEnum):
    """Why a video failed, as it is stored and shown; the words are part of the API.

    What each means is in `ERRORS`.
    """

    INVALID_REQUEST = "invalid_request"
    SOURCE_NOT_FOUND = "source_not_found"
    SOURCE_EMPTY = "source_empty"
    NOT_A_VIDEO = "not_a_video"
    NO_VIDEO_STREAM = "no_video_stream"
    SOURCE_TRUNCATED = "source_truncated"
    SOURCE_OVER_LIMIT = "source_over_limit"
    UNSUPPORTED_FORMAT = "unsupported_format"
    UNSUPPORTED_CODEC = "unsupported_codec"
    PROBE_FAILED = "probe_failed"
    ENCODE_FAILED = "encode_failed"
    TIME_LIMIT = "time_limit"
    RESOURCE_LIMIT = "resource_limit"
    ENCODER_KILLED = "encoder_killed"
    ENCODER_CRASHED = "encoder_crashed"
    ENCODER_UNAVAILABLE = "encoder_unavailable"
    STALLED = "stalled"
    OUTPUT_INCOMPLETE = "output_incomplete"
    OUTPUT_INVALID = "output_invalid"
    STORAGE_UNAVAILABLE = "storage_unavailable"
    DISK_FULL = "disk_full"
    WORKER_LOST = "worker_lost"
    INTERNAL = "internal"


@dataclass(frozen=True, kw_only=True, slots=True)
class ErrorInfo:
    """What one code means; docs/errors.md shows the same, held to it by a test."""

    #: What happened, for the owner of the video.
    cause: str
    #: What its owner or the operator can do about it.
    remedy: str
    #: Whether another attempt, later or on another worker, can succeed; if not, none is made.
    retryable: bool
    #: Whether the file itself is beyond help, for every worker, whatever its limits, profiles and
    #: FFmpeg: then an upload is deleted, which may be its owner's only copy. Never when in doubt.
    file_is_lost: bool = False


ERRORS: Mapping[ErrorCode, ErrorInfo] = {
    ErrorCode.INVALID_REQUEST: ErrorInfo(
        cause="The job's data do not have the agreed shape.",
        remedy="Submit the video through the API, or build the job with TranscodeRequest.",
        retryable=False,
    ),
    ErrorCode.SOURCE_NOT_FOUND: ErrorInfo(
        cause="There is no object under the source key.",
        remedy="Check the key and the bucket, upload the file, and submit the video again.",
        retryable=False,
    ),
    ErrorCode.SOURCE_EMPTY: ErrorInfo(
        cause="The source has no bytes.",
        remedy="Upload the file again.",
        retryable=False,
        file_is_lost=True,
    ),
    ErrorCode.NOT_A_VIDEO: ErrorInfo(
        cause="The source is no video file of any known format, or its beginning is damaged.",
        remedy="Play the file; if it plays, convert it to MP4 or Matroska and upload that.",
        retryable=False,
        file_is_lost=True,
    ),
    ErrorCode.NO_VIDEO_STREAM: ErrorInfo(
        cause="The source holds no moving picture, only sound or a still picture.",
        remedy="Send a file with a video track.",
        retryable=False,
        file_is_lost=True,
    ),
    ErrorCode.SOURCE_TRUNCATED: ErrorInfo(
        cause="The source ends before its header says, or lacks its index.",
        remedy="Upload the file again; if it is cut off itself, repair it first.",
        retryable=False,
        file_is_lost=True,
    ),
    ErrorCode.SOURCE_OVER_LIMIT: ErrorInfo(
        cause="The source is larger, longer, faster or has more streams than this service takes.",
        remedy="Send a smaller version, or have the operator raise the WORKER_MAX_ settings.",
        retryable=False,
    ),
    ErrorCode.UNSUPPORTED_FORMAT: ErrorInfo(
        cause="The source is in a format that this service does not take, such as a picture.",
        remedy="Convert it to MP4 or Matroska and upload that.",
        retryable=False,
    ),
    ErrorCode.UNSUPPORTED_CODEC: ErrorInfo(
        cause="The worker's FFmpeg has no decoder for the source's codec.",
        remedy="Send H.264, HEVC or VP9, or have the operator install a fuller FFmpeg.",
        retryable=False,
    ),
    ErrorCode.PROBE_FAILED: ErrorInfo(
        cause="What the source is could not be found out, and ffprobe did not say why.",
        remedy="Read ffprobe's last lines in the error's detail; look at the worker that ran it.",
        retryable=True,
    ),
    ErrorCode.ENCODE_FAILED: ErrorInfo(
        cause="FFmpeg refused the source or gave up in the middle, and would do so again.",
        remedy="Read FFmpeg's last lines in the error's detail; encode the source anew.",
        retryable=False,
    ),
    ErrorCode.TIME_LIMIT: ErrorInfo(
        cause="FFmpeg took longer than its limit allows for a source of this duration.",
        remedy="Send a simpler version, or have the operator raise WORKER_TIME_FACTOR.",
        retryable=False,
    ),
    ErrorCode.RESOURCE_LIMIT: ErrorInfo(
        cause="FFmpeg wanted more memory or larger files than it may have.",
        remedy="Send a smaller version, or have the operator raise WORKER_MEMORY_LIMIT.",
        retryable=False,
    ),
    ErrorCode.ENCODER_KILLED: ErrorInfo(
        cause="FFmpeg was ended from outside: by the kernel when memory ran out, or an operator.",
        remedy="Look for an out-of-memory report in the kernel's log; lower WORKER_CONCURRENCY.",
        retryable=True,
    ),
    ErrorCode.ENCODER_CRASHED: ErrorInfo(
        cause="FFmpeg crashed, which can be a bug that the source sets off.",
        remedy="Update FFmpeg; treat the source with care, it may be an attack.",
        retryable=True,
    ),
    ErrorCode.ENCODER_UNAVAILABLE: ErrorInfo(
        cause="FFmpeg or its sandbox could not be started, or lacks a part that is needed.",
        remedy="Check FFMPEG, FFPROBE and WORKER_SANDBOX on the worker that the log names.",
        retryable=True,
    ),
    ErrorCode.STALLED: ErrorInfo(
        cause="FFmpeg made no progress for the time that the watchdog allows, and was stopped.",
        remedy="Look at the load of the worker's host; if it was idle, the source is at fault.",
        retryable=True,
    ),
    ErrorCode.OUTPUT_INCOMPLETE: ErrorInfo(
        cause="The output lacks something that it must have; it was not published.",
        remedy="Look at the worker's log and its disk.",
        retryable=True,
    ),
    # Not the source's fault: a worker that was mended can succeed.
    ErrorCode.OUTPUT_INVALID: ErrorInfo(
        cause="The output breaks a rule that players rely on; it was not published.",
        remedy="Report the rules that the error's detail names; check which FFmpeg is in use.",
        retryable=True,
    ),
    ErrorCode.STORAGE_UNAVAILABLE: ErrorInfo(
        cause="The object storage did not answer, refused, or broke off, after bounded retries.",
        remedy="Check the storage and the worker's credentials, then submit the video again.",
        retryable=True,
    ),
    ErrorCode.DISK_FULL: ErrorInfo(
        cause="The scratch folder has no room for the source or the output.",
        remedy="Give WORKER_TEMP_DIR more room, or lower WORKER_CONCURRENCY.",
        retryable=True,
    ),
    ErrorCode.WORKER_LOST: ErrorInfo(
        cause="The workers that ran the video died, more often than is tolerated.",
        remedy="Look for the cause of the deaths in the supervisor's log; submit the video again.",
        retryable=True,
    ),
    ErrorCode.INTERNAL: ErrorInfo(
        cause="Something happened that nobody foresaw.",
        remedy="Find the traceback in the worker's log under the video's id, and report it.",
        retryable=True,
    ),
}

#: Codes for which another attempt, later or on another worker, can succeed.
RETRYABLE_CODES = frozenset(code for code, info in ERRORS.items() if info.retryable)


class WorkerError(Exception):
    """Base of every error that vworker raises on purpose."""


class TranscodeError(WorkerError):
    """One job failed, for a reason that its user can be told.

    `message` is one sentence for the user; `detail` holds FFmpeg's last lines, oldest first, for
    the operator. `retryable` follows from the code alone, so that the same failure is treated
    alike everywhere.
    """

    def __init__(self, code: ErrorCode, message: str, *, detail: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.detail = tuple(detail)

    @property
    def retryable(self) -> bool:
        """Whether another attempt of the same job can succeed."""
        return self.code in RETRYABLE_CODES


class InvalidPayload(TranscodeError):
    """A job's data or result does not have the shape that `vworker.contract` defines."""

    def __init__(self, message: str) -> None:
        super().__init__(ErrorCode.INVALID_REQUEST, message)


class StorageError(WorkerError):
    """A call to the object storage failed; `operation` and `key` say which."""

    def __init__(self, message: str, *, operation: str, key: str) -> None:
        super().__init__(message)
        self.operation = operation
        self.key = key


class ObjectNotFound(StorageError):
    """There is no object under that key."""


class RangeNotSatisfiable(StorageError):
    """The object is shorter than the range that was asked for (HTTP 416)."""


class UploadTooLarge(StorageError):
    """The stream had more bytes than its limit allows; nothing was stored."""


class StorageUnavailable(StorageError):
    """The storage gave no answer, refused the credentials or broke off, after bounded retries."""
