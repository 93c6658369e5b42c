"""Which requests the dashboard's actions are taken from."""

import pytest
from starlette.datastructures import Headers

from vapi.dashboard.origin import require_own_page
from vapi.problems import Problem

NAMES = frozenset({"queues.example"})


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "127.0.0.1:8000", "origin": "http://127.0.0.1:8000"},
        {"host": "[::1]:8000", "origin": "http://[::1]:8000", "sec-fetch-site": "same-origin"},
        {"host": "localhost:8000", "sec-fetch-site": "same-origin"},
        {"host": "Queues.example", "origin": "https://queues.example"},
    ],
)
def test_the_page_itself_may_act(headers: dict[str, str]) -> None:
    require_own_page(Headers(headers), host_names=NAMES)


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "127.0.0.1:8000"},
        {"host": "127.0.0.1:8000", "origin": "http://127.0.0.1:8001"},
        {"host": "127.0.0.1:8000", "origin": "null"},
        {"host": "127.0.0.1:8000", "origin": "http://127.0.0.1:8000", "sec-fetch-site": "none"},
        {"host": "queues.example.evil", "origin": "https://queues.example.evil"},
        {"host": "[::1", "origin": "http://[::1"},
        {"origin": "http://", "sec-fetch-site": "same-origin"},
    ],
)
def test_others_may_not(headers: dict[str, str]) -> None:
    with pytest.raises(Problem) as refused:
        require_own_page(Headers(headers), host_names=NAMES)
    assert refused.value.status == 403
