"""A failure's text on its way through the queue comes back as what the worker meant."""

import pytest

from vworker.errors import ERRORS, ErrorCode, TranscodeError
from vworker.failure import failure_text, read_failure


@pytest.mark.parametrize("code", ErrorCode)
def test_every_code_comes_back_with_what_to_do(code: ErrorCode) -> None:
    read = read_failure(failure_text(TranscodeError(code, "It went wrong.")))
    assert read == {
        "code": code.value,
        "message": "It went wrong.",
        "remedy": ERRORS[code].remedy,
        "retryable": ERRORS[code].retryable,
    }


def test_detail_comes_back_line_by_line() -> None:
    error = TranscodeError(
        ErrorCode.ENCODE_FAILED, "FFmpeg gave up.", detail=["[h264] no frame!", "", "exit 1"]
    )
    assert read_failure(failure_text(error))["detail"] == "[h264] no frame!\n\nexit 1"


def test_brackets_in_a_message_stay_in_it() -> None:
    error = TranscodeError(ErrorCode.NOT_A_VIDEO, "[mov] is [not] a video.")
    assert read_failure(failure_text(error))["message"] == "[mov] is [not] a video."


def test_a_code_of_a_newer_worker_is_told_and_counts_as_final() -> None:
    assert read_failure("[codec_too_new] This codec is unknown.") == {
        "code": "codec_too_new",
        "message": "This codec is unknown.",
        "remedy": "Look the code up in docs/errors.md of the worker's version.",
        "retryable": False,
    }


def test_a_job_that_lost_its_workers_says_so() -> None:
    read = read_failure("job stalled more than allowable limit")
    assert read["code"] == ErrorCode.WORKER_LOST
    assert read["retryable"] is True


@pytest.mark.parametrize(
    "text",
    [
        "",
        "KeyError: 'x'",
        "[Errno 2] No such file or directory: '/var/tmp/secret'",
        "connect to mongodb://user:secret@host failed",
    ],
)
def test_what_nobody_foresaw_is_not_told(text: str) -> None:
    read = read_failure(text)
    assert read["code"] == ErrorCode.INTERNAL
    assert "secret" not in str(read)
    assert "detail" not in read
