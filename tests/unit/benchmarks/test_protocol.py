import json

import pytest

from benchmarks.peers.adapter import PAYLOAD_BYTES, payload
from benchmarks.peers.protocol import (
    PeerFailed,
    ProtocolError,
    Request,
    answer_line,
    failure_line,
    read_answer,
)

REQUEST = Request(id=7, operation="add_bulk", arguments={"count": 3, "warm": 0})


def test_a_request_survives_the_way() -> None:
    assert REQUEST.to_line().count("\n") == 1
    assert Request.from_line(REQUEST.to_line()) == REQUEST


def test_an_answer_gives_its_figures() -> None:
    assert read_answer(answer_line(7, {"seconds": 0.5}), REQUEST) == {"seconds": 0.5}


def test_a_failure_is_raised_with_the_peers_words() -> None:
    with pytest.raises(PeerFailed, match="ConnectionError: away"):
        read_answer(failure_line(7, "ConnectionError: away"), REQUEST)


def test_an_answer_to_another_request_is_refused() -> None:
    with pytest.raises(ProtocolError, match="asked for add_bulk as 7, got an answer to 6"):
        read_answer(answer_line(6, {}), REQUEST)


@pytest.mark.parametrize("line", ["", "hello\n", "[1]\n", '{"id": 7}\n', '{"id": 7, "gave": 1}\n'])
def test_a_line_that_is_no_answer_is_refused(line: str) -> None:
    with pytest.raises(ProtocolError):
        read_answer(line, REQUEST)


def test_a_request_without_an_operation_is_refused() -> None:
    with pytest.raises(ProtocolError, match="'do'"):
        Request.from_line('{"id": 1}')


@pytest.mark.parametrize("index", [0, 9, 10, 999_999])
@pytest.mark.parametrize("added_us", [None, 0.1, 4826469893.74])
def test_every_payload_has_the_same_size(index: int, added_us: float | None) -> None:
    data = payload(index, added_us=added_us)
    assert len(json.dumps(data, separators=(",", ":"))) == PAYLOAD_BYTES
    assert data["i"] == index
