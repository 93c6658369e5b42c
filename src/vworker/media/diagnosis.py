"""Why a child of ours failed: its exit code, signal and last lines, told as one of our codes."""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence

from vworker.errors import ERRORS, ErrorCode, TranscodeError
from vworker.media.process import Exit

#: Exit codes of an FFmpeg that caught SIGTERM or SIGINT: up to three times, and more often. Which
#: one it was, it tells at log level info only.
_ENDED_BY_SIGNAL = {255, 123}
#: What a bug, or the sandbox's filter of system calls, ends a program with.
_CRASHES = {
    signal.SIGSEGV,
    signal.SIGABRT,
    signal.SIGBUS,
    signal.SIGILL,
    signal.SIGFPE,
    signal.SIGTRAP,
    signal.SIGSYS,
}

_OVER_LIMIT = re.compile(
    r"exceeds specified max pixel count|Picture size [1-9]\d*x[1-9]\d* is invalid"
    r"|exceeds max_streams"
)
#: Looked for in this order: causes of the worker before those of the video, which may follow.
_BY_LINE: Sequence[tuple[re.Pattern[str], ErrorCode, str]] = (
    (
        re.compile(r"^(bwrap|prlimit|setpriv): |^cannot apply the (Landlock|seccomp)"),
        ErrorCode.ENCODER_UNAVAILABLE,
        "The sandbox for the encoder could not be set up.",
    ),
    (
        re.compile(r"No space left on device|Disk quota exceeded"),
        ErrorCode.DISK_FULL,
        "The worker's disk ran full during the encode.",
    ),
    (
        re.compile(r"Unknown encoder|Encoder not found|No such filter|Unrecognized option"),
        ErrorCode.ENCODER_UNAVAILABLE,
        "The worker's FFmpeg lacks a part that is needed.",
    ),
    (
        _OVER_LIMIT,
        ErrorCode.SOURCE_OVER_LIMIT,
        "The video has larger pictures or more streams than this service takes.",
    ),
    (
        re.compile(
            r"File too large|Too many open files|malloc of size \d+ failed"
            r"|Cannot allocate memory|Out of memory|pthread_create.*failed"
        ),
        ErrorCode.RESOURCE_LIMIT,
        "The encoder reached its limit of memory or of the size or number of files.",
    ),
    (
        re.compile(r"moov atom not found"),
        ErrorCode.SOURCE_TRUNCATED,
        "The video file is incomplete: its index is missing, as after an upload or a recording "
        "that broke off.",
    ),
    (
        re.compile(
            r"no decoder found for|Decoder not found|Unknown decoder"
            r"|doesn't support hardware accelerated \w+ decoding"
        ),
        ErrorCode.UNSUPPORTED_CODEC,
        "The video's codec cannot be decoded by this service.",
    ),
)
#: What ffprobe says of a file: that its list of formats excludes it, or that it knows none like it.
#: Anything else, silence included, says nothing of the file.
_REFUSALS: Sequence[tuple[re.Pattern[str], ErrorCode, str]] = (
    (
        re.compile(r"Format not on whitelist"),
        ErrorCode.UNSUPPORTED_FORMAT,
        "The file is not a video in a format that this service takes.",
    ),
    (
        re.compile(r"^file:\S+: Invalid data found when processing input$"),
        ErrorCode.NOT_A_VIDEO,
        "The file is not a video in a known format, or its beginning is damaged.",
    ),
)


def diagnose(ended: Exit, *, otherwise: ErrorCode, message: str) -> TranscodeError:
    """Return the failure of a child that did not end with 0; pure.

    `otherwise` and `message` are for a child that gave up for no reason that is known here.
    """

    def failure(code: ErrorCode, text: str) -> TranscodeError:
        return TranscodeError(code, text, detail=ended.last_lines)

    if ended.code == -signal.SIGXFSZ:
        return failure(ErrorCode.RESOURCE_LIMIT, "The encoder reached its limit of file size.")
    if -ended.code in _CRASHES:
        name = signal.Signals(-ended.code).name
        return failure(ErrorCode.ENCODER_CRASHED, f"The encoder crashed ({name}).")
    if ended.code < 0 or ended.code in _ENDED_BY_SIGNAL:
        cause = f"signal {-ended.code}" if ended.code < 0 else f"exit code {ended.code}"
        return failure(ErrorCode.ENCODER_KILLED, f"The encoder was ended from outside ({cause}).")
    for pattern, code, text in _BY_LINE:
        if any(pattern.search(line) for line in ended.last_lines):
            return failure(code, text)
    return failure(otherwise, message)


def diagnose_probe(ended: Exit) -> TranscodeError:
    """Return the failure of an ffprobe that did not end with 0; pure.

    The file is to blame only where ffprobe says so itself: what follows may cost its owner the
    upload.
    """
    failure = diagnose(
        ended,
        otherwise=ErrorCode.PROBE_FAILED,
        message="What the file is could not be found out: ffprobe gave up "
        f"(exit code {ended.code}).",
    )
    if failure.code is ErrorCode.PROBE_FAILED:
        for pattern, code, text in _REFUSALS:
            if any(pattern.search(line) for line in ended.last_lines):
                return TranscodeError(code, text, detail=ended.last_lines)
    return failure


def doubted(error: TranscodeError, last_lines: Sequence[str]) -> TranscodeError:
    """Return what to make of a child that ended with 0 and whose result is this failure; pure.

    Where the file would be given up for lost and the child spoke of a cause that lies elsewhere (no
    memory, no disk), it is that one.
    """
    if not ERRORS[error.code].file_is_lost:
        return error
    ended = Exit(code=0, last_lines=tuple(last_lines))
    return diagnose(ended, otherwise=error.code, message=error.message)


def left_out_streams(last_lines: Sequence[str]) -> bool:
    """Whether ffprobe said that the file has more streams than it was to read."""
    return any("exceeds max_streams" in line for line in last_lines)


def met_limit(last_lines: Sequence[str]) -> bool:
    """Whether ffprobe said that it left something out because of `input_limits`."""
    return any(_OVER_LIMIT.search(line) for line in last_lines)
