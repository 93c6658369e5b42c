"""Job ids, fences and the legal moves between states."""

import os

import pytest

from vqueue.errors import InvalidOption
from vqueue.job_ids import new_job_id
from vqueue.keys import QueueKeys, check_name
from vqueue.record import fence_of
from vqueue.states import FINAL_STATES, LEGAL_TRANSITIONS, JobState


def test_job_ids_sort_by_time(monkeypatch: pytest.MonkeyPatch) -> None:
    times = [1.0, 1_700_000_000.001, 1_700_000_000.002, 1_900_000_000.0, 4_000_000_000.0]
    made = []
    for time in times:
        monkeypatch.setattr("vqueue.job_ids.time.time", lambda time=time: time)
        made.append(new_job_id())
    assert made == sorted(made)


def test_job_ids_are_uuids_of_version_7_and_differ() -> None:
    ids = {new_job_id() for _ in range(1000)}
    assert len(ids) == 1000
    for job_id in ids:
        assert check_name(job_id, what="job id") == job_id
        assert (len(job_id), job_id[12]) == (32, "7")
        assert job_id[16] in "89ab"


def test_a_forked_child_makes_ids_of_its_own() -> None:
    new_job_id()  # there are random bits left over
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, new_job_id()[16:].encode())
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(reading, 100).decode()
    os.close(reading)
    os.close(writing)
    assert len(theirs) == 16
    assert theirs not in {new_job_id()[16:] for _ in range(300)}


def test_a_fence_is_the_same_number_for_both_lanes_and_grows() -> None:
    assert fence_of(b"5-3") == fence_of(b"x5-3") == (5 << 20) + 3
    tokens = [b"5-3", b"x5-4", b"5-1048575", b"x6-1", b"1795623918871-1"]
    fences = [fence_of(token) for token in tokens]
    assert fences == sorted(set(fences))


def test_final_states_are_left_only_by_a_removal_or_a_retry() -> None:
    for state in FINAL_STATES:
        assert LEGAL_TRANSITIONS[state] == {
            JobState.WAITING,
            JobState.PRIORITIZED,
            JobState.WAITING_CHILDREN,
            None,
        }
    assert LEGAL_TRANSITIONS.keys() == {None, *JobState}


@pytest.mark.parametrize("value", ["", "a b", "a:b", "a{b}", "a\n", "é", "x" * 129])
def test_a_name_with_other_characters_is_refused(value: str) -> None:
    with pytest.raises(InvalidOption, match="job id"):
        check_name(value, what="job id")
    with pytest.raises(InvalidOption, match="queue name"):
        QueueKeys(value)
    with pytest.raises(InvalidOption, match="key prefix"):
        QueueKeys("q", value)
