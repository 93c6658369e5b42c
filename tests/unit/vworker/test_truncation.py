"""How much of a video may be missing."""

import pytest

from vworker.errors import ErrorCode, TranscodeError
from vworker.media.truncation import check_length, earliest_end_s


@pytest.mark.parametrize(("announced_s", "found_s"), [(10, 9.6), (100, 99.1), (7200, 7195.1)])
def test_a_video_may_end_a_little_too_soon(announced_s: float, found_s: float) -> None:
    check_length(announced_s=announced_s, found_s=found_s)


@pytest.mark.parametrize(("announced_s", "found_s"), [(10, 9.4), (100, 98.9), (7200, 7194.9)])
def test_a_video_that_lacks_more_is_truncated(announced_s: float, found_s: float) -> None:
    with pytest.raises(TranscodeError, match="only") as refusal:
        check_length(announced_s=announced_s, found_s=found_s)
    assert refusal.value.code is ErrorCode.SOURCE_TRUNCATED


@pytest.mark.parametrize(("announced_s", "end_s"), [(10, 9.5), (100, 99), (7200, 7195)])
def test_a_video_has_an_earliest_end(announced_s: float, end_s: float) -> None:
    assert earliest_end_s(announced_s) == pytest.approx(end_s)
