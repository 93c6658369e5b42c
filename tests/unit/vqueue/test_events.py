"""expand: one stream entry → its events."""

from typing import Any

import pytest

from vqueue.job_events import expand, version_of


@pytest.mark.parametrize(
    ("kind", "detail", "data"),
    [
        ("added", b"resize", {"name": "resize"}),
        ("waiting", b"", {}),
        ("waiting", b"active", {"prev": "active"}),
        ("delayed", b"1500", {"delay_until": 1.5}),
        ("active", b"w1", {"consumer": "w1"}),
        ("progress", b'{"step": 1}', {"progress": {"step": 1}}),
        (
            "completed",
            b'2 3 1500 {"text": "a b  c"}',
            {
                "returnvalue": {"text": "a b  c"},
                "prev": "active",
                "attempts_made": 2,
                "attempts_started": 3,
                "processed_on": 1.5,
            },
        ),
        (
            "failed",
            b'1 1 0 "no such file"',
            {
                "failed_reason": "no such file",
                "prev": "active",
                "attempts_made": 1,
                "attempts_started": 1,
                "processed_on": None,
            },
        ),
        (
            "failed",
            b'waiting-children 0 0 0 "child q:a failed"',
            {
                "failed_reason": "child q:a failed",
                "prev": "waiting-children",
                "attempts_made": 0,
                "attempts_started": 0,
                "processed_on": None,
            },
        ),
        ("stalled", b"2", {"stalled_count": 2}),
        ("duplicated", b"", {}),
        ("of-a-later-version", b"anything", {}),
    ],
)
def test_every_kind_has_its_data(kind: str, detail: bytes, data: dict[str, Any]) -> None:
    (event,) = expand(b"7-1", [b"e", kind.encode(), b"n", b"9", b"job", detail])
    assert (event.name, event.job_id, event.data) == (kind, "job", data)


def test_the_events_of_an_entry_are_numbered_and_share_a_version() -> None:
    fields = [b"e", b"waiting", b"n", b"9", b"a", b"", b"b", b"active", b"a", b""]
    events = expand(b"5000-2", fields)
    assert [event.job_id for event in events] == ["a", "b", "a"]
    assert [event.number for event in events] == [9, 10, 11]
    assert [event.id for event in events] == ["5000-2/0", "5000-2/1", "5000-2/2"]
    assert {event.version for event in events} == {version_of(5000, 2)}
    assert {event.timestamp for event in events} == {5.0}
