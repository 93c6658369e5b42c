"""The lines between the harness and a peer's program: one JSON object each, over stdin and stdout.

    harness → peer   {"id": 7, "do": "add_bulk", "with": {"count": 20000}}
    peer → harness   {"id": 7, "gave": {"seconds": 0.71}}
                     {"id": 7, "failed": "ConnectionError: …"}

One request at a time. The end of stdin ends the program. Standard library only: both sides of
every environment import it.
"""

import json
from dataclasses import dataclass, field
from typing import Any

#: How a failure begins that means "this queue has nothing to call here".
UNSUPPORTED = "unsupported: "


class ProtocolError(Exception):
    """The other side sent something that is no message of this protocol, or no answer to ours."""


class PeerFailed(Exception):
    """A peer's program could not do what was asked; the message is its own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """An operation of `Adapter` by name, with its keyword arguments."""

    id: int
    operation: str
    arguments: dict[str, Any] = field(default_factory=dict)

    def to_line(self) -> str:
        """One line, with its end."""
        message = {"id": self.id, "do": self.operation, "with": self.arguments}
        return json.dumps(message, separators=(",", ":")) + "\n"

    @classmethod
    def from_line(cls, line: str) -> "Request":
        """Read what `to_line` wrote; raises ProtocolError."""
        message = _parse(line)
        try:
            return cls(
                id=message["id"], operation=message["do"], arguments=message.get("with") or {}
            )
        except KeyError as error:
            raise ProtocolError(f"a request without {error}: {line[:200]!r}") from None


def answer_line(request_id: int, figures: dict[str, Any]) -> str:
    """The line that says an operation's figures."""
    return json.dumps({"id": request_id, "gave": figures}, separators=(",", ":")) + "\n"


def failure_line(request_id: int, reason: str) -> str:
    """The line that says why an operation failed."""
    return json.dumps({"id": request_id, "failed": reason}, separators=(",", ":")) + "\n"


def read_answer(line: str, request: Request) -> dict[str, Any]:
    """The figures that answer `request`.

    Raises PeerFailed when the peer could not do it, ProtocolError for any other line.
    """
    message = _parse(line)
    if message.get("id") != request.id:
        raise ProtocolError(
            f"asked for {request.operation} as {request.id}, got an answer to {message.get('id')!r}"
        )
    if "failed" in message:
        raise PeerFailed(str(message["failed"]))
    figures = message.get("gave")
    if not isinstance(figures, dict):
        raise ProtocolError(f"an answer to {request.operation} without figures: {line[:200]!r}")
    return figures


def _parse(line: str) -> dict[str, Any]:
    try:
        message = json.loads(line)
    except ValueError:
        message = None
    if not isinstance(message, dict):
        raise ProtocolError(f"not a JSON object: {line[:200]!r}")
    return message
