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

from collections.abc import Sequence
from enum import StrEnum


class ErrorCode(StrEnum):
    """Why a transcode failed, as it is stored and shown; the words are part of the API."""

    #: The payload of the job does not have the agreed shape.
    INVALID_REQUEST = "invalid_request"
    #: There is no object under the source key.
    SOURCE_NOT_FOUND = "source_not_found"
    #: The source has no bytes.
    SOURCE_EMPTY = "source_empty"
    #: The source is no video file of a supported format, or its header is damaged.
    NOT_A_VIDEO = "not_a_video"
    #: The source can be read but holds no moving picture (sound only, or a cover image).
    NO_VIDEO_STREAM = "no_video_stream"
    #: The source ends before the duration that its header promises.
    SOURCE_TRUNCATED = "source_truncated"
    #: FFmpeg refused the source or gave up in the middle; it would do so again.
    ENCODE_FAILED = "encode_failed"
    #: FFmpeg was ended by a signal from outside (out of memory, an operator).
    ENCODER_KILLED = "encoder_killed"
    #: FFmpeg could not be started at all: a matter of the worker's set-up, not of the video.
    ENCODER_UNAVAILABLE = "encoder_unavailable"
    #: FFmpeg made no progress for the time that the stall watchdog allows, and was killed.
    STALLED = "stalled"
    #: The output lacks something that it must have; it was not published.
    OUTPUT_INCOMPLETE = "output_incomplete"
    #: The object storage did not answer or broke off.
    STORAGE_UNAVAILABLE = "storage_unavailable"
    #: The scratch folder has no room for the source or the output.
    DISK_FULL = "disk_full"


#: Codes for which another attempt, later or on another worker, can succeed.
RETRYABLE_CODES = frozenset(
    {
        ErrorCode.ENCODER_KILLED,
        ErrorCode.ENCODER_UNAVAILABLE,
        ErrorCode.STALLED,
        ErrorCode.OUTPUT_INCOMPLETE,
        ErrorCode.STORAGE_UNAVAILABLE,
        ErrorCode.DISK_FULL,
    }
)


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
