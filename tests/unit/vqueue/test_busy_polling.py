"""Waiting for a socket without letting the core fall asleep."""

import socket
from collections.abc import Iterator
from datetime import timedelta

import pytest

from vqueue.busy_polling import BusyPoll, check_busy_poll
from vqueue.errors import InvalidOption


class Clock:
    """Goes on by 10 us whenever it is looked at, and counts how often it is."""

    def __init__(self) -> None:
        self.looks = 0

    def __call__(self) -> float:
        self.looks += 1
        return self.looks * 10e-6


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


Pair = tuple[socket.socket, socket.socket]


def test_it_returns_as_soon_as_there_is_something_to_read(pair: Pair) -> None:
    ours, theirs = pair
    clock = Clock()
    theirs.send(b"+OK\r\n")
    BusyPoll(ours.fileno(), 0.001, clock=clock).wait()
    assert clock.looks == 1
    assert ours.recv(16) == b"+OK\r\n"


def test_it_waits_no_longer_than_its_time(pair: Pair) -> None:
    clock = Clock()
    BusyPoll(pair[0].fileno(), 100e-6, clock=clock).wait()
    assert clock.looks == pytest.approx(11, abs=1)


def test_what_is_in_vain_is_tried_less_and_less(pair: Pair) -> None:
    clock = Clock()
    poll = BusyPoll(pair[0].fileno(), 5e-6, clock=clock)
    tried = []
    for number in range(200):
        looks = clock.looks
        poll.wait()
        if clock.looks > looks:
            tried.append(number)
    assert tried == [0, 2, 6, 14, 30, 62, 126, 190]


def test_a_reply_in_time_brings_it_back(pair: Pair) -> None:
    ours, theirs = pair
    clock = Clock()
    poll = BusyPoll(ours.fileno(), 5e-6, clock=clock)
    for _ in range(3):  # in vain, left out, in vain
        poll.wait()
    theirs.send(b"+OK\r\n")
    for _ in range(3):  # left out
        poll.wait()
    poll.wait()
    looks = clock.looks
    poll.wait()
    poll.wait()
    assert clock.looks == looks + 2


@pytest.mark.parametrize("value", [-1e-6, 0.0011, 1, True, "1us", timedelta(seconds=1), None])
def test_a_time_that_would_be_felt_is_refused(value: object) -> None:
    with pytest.raises(InvalidOption, match=r"busy_poll must be 0 to 0\.001 s"):
        check_busy_poll(value)  # type: ignore[arg-type]


def test_seconds_and_timedeltas_are_taken() -> None:
    assert check_busy_poll(0) == 0
    assert check_busy_poll(150e-6) == 150e-6
    assert check_busy_poll(timedelta(microseconds=150)) == 150e-6
