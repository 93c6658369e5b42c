"""Serializers: data and results in a form of one's own, compressed, encrypted or not JSON.

What a serializer makes is stored as a JSON object that names it, {"~serializer": name, "~":
base64}: a line that every reader of the queue can carry, and that says how it is to be read.
Reading asks the serializers that this process has registered; a value of another one is left
as it is stored.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any, Protocol

import orjson

from vqueue.codec import encode
from vqueue.errors import InvalidOption, PayloadUnreadable
from vqueue.keys import check_name

#: As codec.encode: the value, and what it is for messages.
Encoder = Callable[..., bytes]

_NAME, _BYTES = "~serializer", "~"


class Serializer(Protocol):
    """Turns values into bytes and back.

    `name` is stored with each value: keep it while there are values of it, and give another
    one to another form or key. Both methods may raise anything; they are called in the event
    loop, so they must be quick.
    """

    name: str

    def dumps(self, value: Any) -> bytes:
        """Return the bytes of a value."""

    def loads(self, raw: bytes) -> Any:
        """Return the value of bytes that `dumps` made."""


_registered: dict[str, Serializer] = {}


def register_serializer(serializer: Serializer) -> None:
    """Have values of this serializer read by everything in this process.

    Queue and Worker do so with the one that they get; register others that values may still
    be of, such as that of a former key. The latest of a name counts.
    """
    _registered[check_name(serializer.name, what="serializer name")] = serializer


def encoder_of(serializer: Serializer | None) -> Encoder:
    """Return what writes data and results; registers the serializer."""
    if serializer is None:
        return encode
    register_serializer(serializer)

    def encode_with(value: Any, what: str, *of: str) -> bytes:
        try:
            packed = serializer.dumps(value)
        except Exception as error:
            raise InvalidOption(
                f"{what % of} cannot be encoded by serializer {serializer.name} ({error!r})"
            ) from error
        text = base64.b64encode(packed).decode()
        return orjson.dumps({_NAME: serializer.name, _BYTES: text})

    return encode_with


def decode_payload(raw: bytes) -> Any:
    """Decode data or a result. Raises PayloadUnreadable, a ValueError."""
    value = orjson.loads(raw)
    return _unpacked(value) if _registered else value


def _unpacked(value: Any) -> Any:
    if not isinstance(value, dict) or value.keys() != {_NAME, _BYTES}:
        return value
    serializer = _registered.get(value[_NAME])
    if serializer is None:
        return value
    try:
        return serializer.loads(base64.b64decode(value[_BYTES], validate=True))
    except Exception as error:
        raise PayloadUnreadable(
            f"a value of serializer {serializer.name} cannot be read ({error!r}): register the "
            "one that wrote it under its own name"
        ) from error
