"""How long a run over a source may take, and how much it may write."""

import pytest

from tests.support.plans import INFO
from vworker.errors import ErrorCode, TranscodeError
from vworker.media.limits import SourceLimits


def test_a_source_gets_time_by_its_length_and_one_without_times_the_base_alone() -> None:
    limits = SourceLimits(time_base_s=600, time_factor=30)
    assert limits.time_limit_s(10.0) == 900
    assert limits.time_limit_s(None) == 600


@pytest.mark.parametrize(
    "low",
    [
        SourceLimits(max_pixels=1000),
        SourceLimits(max_duration_s=0.5),
        SourceLimits(max_frame_rate=1),
    ],
)
def test_what_is_known_of_a_source_is_held_against_each_limit(low: SourceLimits) -> None:
    SourceLimits().check(INFO)
    with pytest.raises(TranscodeError, match="this service takes at most") as refusal:
        low.check(INFO)
    assert refusal.value.code is ErrorCode.SOURCE_OVER_LIMIT


def test_an_encode_may_write_what_the_longest_source_lasts_and_a_picture_more() -> None:
    limits = SourceLimits(max_duration_s=100)
    limits.check_written(100.9)
    with pytest.raises(TranscodeError) as refusal:
        limits.check_written(101.1)
    assert refusal.value.code is ErrorCode.SOURCE_OVER_LIMIT
