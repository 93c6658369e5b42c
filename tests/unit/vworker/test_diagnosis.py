import signal

import pytest

from vworker.errors import ErrorCode, TranscodeError
from vworker.media.diagnosis import diagnose, diagnose_probe, doubted
from vworker.media.process import Exit


def code_of(exit_code: int, *lines: str) -> ErrorCode:
    ended = Exit(code=exit_code, last_lines=lines)
    error = diagnose(ended, otherwise=ErrorCode.ENCODE_FAILED, message="It gave up.")
    assert error.detail == lines
    return error.code


@pytest.mark.parametrize(
    ("exit_code", "code"),
    [
        (-signal.SIGKILL, ErrorCode.ENCODER_KILLED),
        (-signal.SIGTERM, ErrorCode.ENCODER_KILLED),
        (255, ErrorCode.ENCODER_KILLED),
        (123, ErrorCode.ENCODER_KILLED),
        (-signal.SIGSEGV, ErrorCode.ENCODER_CRASHED),
        (-signal.SIGABRT, ErrorCode.ENCODER_CRASHED),
        (-signal.SIGSYS, ErrorCode.ENCODER_CRASHED),
        (-signal.SIGXFSZ, ErrorCode.RESOURCE_LIMIT),
        (69, ErrorCode.ENCODE_FAILED),
    ],
)
def test_an_exit_code_tells(exit_code: int, code: ErrorCode) -> None:
    assert code_of(exit_code) is code


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("[out#0/hls] Error writing trailer: No space left on device", ErrorCode.DISK_FULL),
        ("av_interleaved_write_frame(): Disk quota exceeded", ErrorCode.DISK_FULL),
        ("[out#0/mpegts] Error muxing a packet: File too large", ErrorCode.RESOURCE_LIMIT),
        ("x264 [error]: malloc of size 12116928 failed", ErrorCode.RESOURCE_LIMIT),
        ("source.bin: Cannot allocate memory", ErrorCode.RESOURCE_LIMIT),
        ("[mov,mp4 @ 0x1] moov atom not found", ErrorCode.SOURCE_TRUNCATED),
        (
            "Picture size 9000x9000 exceeds specified max pixel count 1, see the documentation",
            ErrorCode.SOURCE_OVER_LIMIT,
        ),
        (
            "Number of streams exceeds max_streams parameter (64), see the documentation",
            ErrorCode.SOURCE_OVER_LIMIT,
        ),
        ("Decoding requested, but no decoder found for: vvc", ErrorCode.UNSUPPORTED_CODEC),
        (
            "[av1] Your platform doesn't support hardware accelerated AV1 decoding.",
            ErrorCode.UNSUPPORTED_CODEC,
        ),
        ("Unknown encoder 'libx264'", ErrorCode.ENCODER_UNAVAILABLE),
        (
            "bwrap: Creating new namespace failed: No space left on device",
            ErrorCode.ENCODER_UNAVAILABLE,
        ),
        ("cannot apply the Landlock rules: Operation not permitted", ErrorCode.ENCODER_UNAVAILABLE),
        ("Invalid data found when processing input", ErrorCode.ENCODE_FAILED),
    ],
)
def test_a_line_tells(line: str, code: ErrorCode) -> None:
    assert code_of(1, "before", line, "Conversion failed!") is code


def test_too_many_streams_is_told_though_ffmpeg_goes_on_to_speak_of_memory() -> None:
    lines = ("Number of streams exceeds max_streams parameter (64)", "many.mp4: Out of memory")
    assert code_of(244, *lines) is ErrorCode.SOURCE_OVER_LIMIT


@pytest.mark.parametrize(
    ("exit_code", "lines", "code"),
    [
        (
            1,
            ["file:source.bin: Invalid data found when processing input"],
            ErrorCode.NOT_A_VIDEO,
        ),
        (
            1,
            ["[concat] Format not on whitelist 'mov'", "file:source.bin: Invalid argument"],
            ErrorCode.UNSUPPORTED_FORMAT,
        ),
        (1, [], ErrorCode.PROBE_FAILED),
        (127, ["python: error while loading shared libraries: libpython"], ErrorCode.PROBE_FAILED),
        (1, ["MemoryError", "<no Python frame>"], ErrorCode.PROBE_FAILED),
        (1, ["file:source.bin: Input/output error"], ErrorCode.PROBE_FAILED),
        # A decoder's complaint is not ffprobe's last word on the file.
        (1, ["[h264] Invalid data found when processing input"], ErrorCode.PROBE_FAILED),
        (
            1,
            ["file:x: Invalid data found when processing input", "x: Cannot allocate memory"],
            ErrorCode.RESOURCE_LIMIT,
        ),
        (
            -signal.SIGKILL,
            ["file:source.bin: Invalid data found when processing input"],
            ErrorCode.ENCODER_KILLED,
        ),
    ],
)
def test_a_file_is_given_up_only_where_ffprobe_says_so_itself(
    exit_code: int, lines: list[str], code: ErrorCode
) -> None:
    assert diagnose_probe(Exit(code=exit_code, last_lines=tuple(lines))).code is code


def test_a_file_is_not_given_up_when_memory_may_have_been_the_reason() -> None:
    truncated = TranscodeError(ErrorCode.SOURCE_TRUNCATED, "It is cut off.")
    assert doubted(truncated, ["anything else"]).code is ErrorCode.SOURCE_TRUNCATED
    assert doubted(truncated, ["Cannot allocate memory"]).code is ErrorCode.RESOURCE_LIMIT
    incomplete = TranscodeError(ErrorCode.OUTPUT_INCOMPLETE, "A segment is missing.")
    assert doubted(incomplete, ["Cannot allocate memory"]) is incomplete
