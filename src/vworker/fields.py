"""Typed reading of decoded JSON objects: every refusal names the field and what was found.

Owns the checks on shape; what a field means is decided by `vworker.contract`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import cast

from vworker.errors import InvalidPayload


class Fields:
    """One JSON object, read field by field.

    `what` names the object in messages ("transcode request"). Raises `InvalidPayload` at once
    when `data` is no object.
    """

    def __init__(self, what: str, data: object) -> None:
        if not isinstance(data, Mapping):
            raise InvalidPayload(f"{what} must be a JSON object, found {_kind(data)}")
        self._what = what
        self._data = cast("Mapping[str, object]", data)

    def only(self, names: Collection[str]) -> None:
        """Refuse fields other than `names`."""
        unknown = sorted(str(name) for name in self._data if name not in names)
        if unknown:
            raise InvalidPayload(
                f"{self._what} has unknown fields {', '.join(unknown)}; it may have only "
                f"{', '.join(sorted(names))}"
            )

    def has(self, name: str) -> bool:
        """Whether the field is there and not null."""
        return self._data.get(name) is not None

    def text(self, name: str) -> str:
        """Return a string field."""
        value = self._required(name)
        if not isinstance(value, str):
            raise self._wrong(name, "a string", value)
        return value

    def integer(self, name: str) -> int:
        """Return an integer field of at least 0."""
        value = self._required(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise self._wrong(name, "an integer of at least 0", value)
        return value

    def number(self, name: str) -> float:
        """Return a finite number field of at least 0."""
        value = self._required(name)
        if (
            not isinstance(value, int | float)
            or isinstance(value, bool)
            or not math.isfinite(value)
            or value < 0
        ):
            raise self._wrong(name, "a number of at least 0", value)
        return float(value)

    def truth(self, name: str) -> bool:
        """Return a field that is true or false."""
        value = self._required(name)
        if not isinstance(value, bool):
            raise self._wrong(name, "true or false", value)
        return value

    def nested(self, name: str) -> object:
        """Return a field of any shape, for the reader of that shape to check."""
        return self._required(name)

    def array(self, name: str) -> list[object]:
        """Return an array field."""
        value = self._required(name)
        if not isinstance(value, list | tuple):
            raise self._wrong(name, "an array", value)
        return list(value)

    def _required(self, name: str) -> object:
        if not self.has(name):
            raise InvalidPayload(f"{self._what} lacks the field {name}")
        return self._data[name]

    def _wrong(self, name: str, wanted: str, value: object) -> InvalidPayload:
        shown = repr(value) if isinstance(value, int | float) else _kind(value)
        return InvalidPayload(f"{self._what}: {name} must be {wanted}, found {shown}")


def _kind(value: object) -> str:
    return "null" if value is None else type(value).__name__
