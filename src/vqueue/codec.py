"""JSON on the wire: orjson in, bytes out. Lua never decodes what users put in."""

from __future__ import annotations

from typing import Any

import orjson

from vqueue.errors import InvalidOption


def encode(value: Any, what: str, *of: str) -> bytes:
    """Encode a value as JSON.

    Raises InvalidOption for values that JSON cannot hold; the message names `what`, a format
    that is filled in with `of`.
    """
    try:
        return orjson.dumps(value)
    except TypeError as error:
        raise InvalidOption(
            f"{what % of} cannot be encoded as JSON ({error}); use dict, list, str, int, float, "
            "bool, None, or types that orjson knows"
        ) from error


def decode(raw: bytes) -> Any:
    """Decode JSON that `encode` wrote."""
    return orjson.loads(raw)
