"""Reading decoded JSON that comes from outside: a value of an unexpected type counts as absent."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any


def mapping(value: object) -> Mapping[str, Any]:
    """Return an object, or an empty one."""
    return value if isinstance(value, Mapping) else {}


def items(value: object) -> Sequence[object]:
    """Return an array, or an empty one."""
    return value if isinstance(value, list) else ()


def text(values: Mapping[str, Any], name: str) -> str | None:
    """Return a string that is not empty."""
    value = values.get(name)
    return value if isinstance(value, str) and value else None


def integer(values: Mapping[str, Any], name: str) -> int:
    """Return an integer from 0 to 2**31 - 1, else 0."""
    value = values.get(name)
    return value if isinstance(value, int) and 0 <= value < 2**31 else 0


def number(value: object) -> float | None:
    """Return a finite number, also from its text."""
    if not isinstance(value, int | float | str):
        return None
    try:
        read = float(value)
    except (ValueError, OverflowError):
        return None
    return read if math.isfinite(read) else None


def seconds(value: object) -> float | None:
    """Return a length of time above 0."""
    read = number(value)
    return read if read is not None and read > 0 else None


def fraction(value: object, separator: str) -> Fraction | None:
    """Return a fraction above 0 from two whole numbers, e.g. "30000/1001"."""
    if not isinstance(value, str):
        return None
    found = re.fullmatch(rf"(\d{{1,10}}){separator}(\d{{1,10}})", value)
    if found is None or int(found[1]) == 0 or int(found[2]) == 0:
        return None
    return Fraction(int(found[1]), int(found[2]))
