from benchmarks.exactly_once import tally
from benchmarks.peers.ledger import Ledger


def ledger_of(*indexes: int, expected: int = 4) -> Ledger:
    ledger = Ledger(expected=expected)
    for index in indexes:
        ledger.record(index)
    return ledger


def test_every_job_once_is_exact() -> None:
    found = tally([ledger_of(2, 0, 1, 3).figures()])
    assert found.is_exact
    assert found.describe() == ""


def test_a_job_done_twice_is_caught() -> None:
    found = tally([ledger_of(0, 1, 2, 3, 2).figures()])
    assert not found.is_exact
    assert found.describe() == "of 4 jobs: 1 run again"


def test_a_lost_job_is_caught_although_the_number_of_runs_is_right() -> None:
    found = tally([ledger_of(0, 1, 1, 3).figures()])
    assert (found.lost, found.duplicates) == (1, 1)


def test_a_job_done_by_two_workers_is_caught() -> None:
    found = tally([ledger_of(0, 1, 2).figures(), ledger_of(2, 3).figures()])
    assert found.describe() == "of 4 jobs: 1 run again"


def test_a_job_that_nobody_added_is_caught() -> None:
    found = tally([ledger_of(0, 1, 2, 3, 4, -1).figures()])
    assert found.describe() == "of 4 jobs: 2 unknown"


def test_jobs_left_by_a_worker_that_was_stopped_early_are_not_lost() -> None:
    assert tally([ledger_of(0, 1).figures()], partly=True).is_exact


def test_the_ledger_is_complete_once_with_the_last_unseen_job() -> None:
    ledger = Ledger(expected=3)
    assert [ledger.record(index) for index in (0, 0, 2, 1, 1)] == [False, False, False, True, False]


def test_the_ledger_is_complete_when_enough_jobs_were_seen() -> None:
    ledger = Ledger(expected=100, enough=2)
    assert [ledger.record(index) for index in (5, 7, 9)] == [False, True, False]
    assert len(ledger.figures()["gaps_us"]) == 2


def test_the_window_leaves_the_warm_up_out() -> None:
    ledger = Ledger(expected=10, warm=4)
    for index in range(10):
        ledger.record(index)
    figures = ledger.figures()
    assert figures["window_jobs"] == 6
    assert figures["window_s"] >= 0


def test_a_wait_is_counted_from_the_moment_in_the_payload() -> None:
    ledger = Ledger(expected=1)
    ledger.record(0, added_us=0.0)
    assert ledger.figures()["waits_us"][0] > 0
