"""How one setting is read from the environment and refused, in the same words everywhere.

Any variable may be given as `<NAME>_FILE` instead, the path of a file that holds the value (Docker
and Kubernetes secrets).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

#: Returns a setting's text, given its variable and its default.
Setting = Callable[[str, str], str]

#: No count and no duration in seconds (11 days) is larger; what timers and Redis take is.
_LARGEST = 1_000_000


class ConfigError(Exception):
    """A setting that is missing or cannot be used; the message names it and what to do."""


def read_variable(environ: Mapping[str, str], name: str, default: str | None = None) -> str:
    """Return a variable, or the content of the file that `<name>_FILE` names.

    Raises ConfigError when neither is set and there is no default, when both are, and
    when the file cannot be read.
    """
    value, path = environ.get(name), environ.get(f"{name}_FILE")
    if value and path:
        raise ConfigError(f"{name} and {name}_FILE are both set: unset one of them")
    if path:
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ConfigError(f"{name}_FILE={path} cannot be read: {error.strerror}") from error
    if value:
        return value
    if default is None:
        raise ConfigError(
            f"{name} is not set: set it, or {name}_FILE to the path of a file that holds it; "
            "`python -m devstack env` starts local servers and prints every variable"
        )
    return default


def number(setting: Setting, name: str, default: str, *, low: float) -> float:
    """Read a number, not below `low`. Raises ConfigError."""
    value = setting(name, default)
    try:
        parsed = float(value)
    except ValueError:
        parsed = low - 1
    return _within(name, value, parsed, low, "a number")


def whole(setting: Setting, name: str, default: str, *, low: int) -> int:
    """Read a whole number, not below `low`. Raises ConfigError."""
    value = setting(name, default)
    try:
        parsed = int(value)
    except ValueError:
        parsed = low - 1
    return int(_within(name, value, parsed, low, "a whole number"))


def _within(name: str, value: str, parsed: float, low: float, kind: str) -> float:
    if not low <= parsed <= _LARGEST:
        raise ConfigError(
            f"{name}={value!r} cannot be used: give {kind} from {low:g} to {_LARGEST}"
        )
    return parsed


def choice(setting: Setting, name: str, default: str, allowed: Sequence[str]) -> str:
    """Read one of the words that are allowed. Raises ConfigError."""
    value = setting(name, default)
    if value not in allowed:
        raise ConfigError(f"{name}={value!r} cannot be used: choose {', '.join(allowed)}")
    return value
