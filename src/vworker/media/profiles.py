"""Profiles: named ways to encode, as data in TOML."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import fields, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from vworker.media.encoding import Encoding, SegmentType
from vworker.media.settings import DEFAULT_PROFILE

_NAME = re.compile(r"[a-z0-9_-]{1,64}")
_FIELDS = {field.name for field in fields(Encoding)}


class ProfileError(ValueError):
    """A file of profiles cannot be used; the message names the profile and the field."""


def load_profiles(default: Encoding, path: Path | None) -> dict[str, Encoding]:
    """Return the built-in profiles and those of a file, by name; the file's win.

    What a profile does not name is as in `default`. Raises ProfileError.
    """
    built_in = files("vworker.media").joinpath("profiles.toml").read_text(encoding="utf-8")
    profiles = read_profiles(built_in, default)
    if path is None:
        return profiles
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ProfileError(f"{path} cannot be read: {error}") from error
    return profiles | read_profiles(text, default)


def read_profiles(text: str, default: Encoding) -> dict[str, Encoding]:
    """Read profiles from TOML, one table each; pure. Raises ProfileError."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ProfileError(f"the profiles are not TOML: {error}") from error
    profiles = {}
    for name, table in tables.items():
        if name == DEFAULT_PROFILE or _NAME.fullmatch(name) is None:
            raise ProfileError(
                f"profile {name!r} needs another name: 1 to 64 characters of a-z, 0-9, _ and -, "
                f"and not {DEFAULT_PROFILE}, which the worker's settings make"
            )
        profiles[name] = _profile(name, table, default)
    return profiles


def _profile(name: str, table: object, default: Encoding) -> Encoding:
    if not isinstance(table, dict):
        raise ProfileError(f"profile {name} must be a table, found {table!r}")
    unknown = sorted(set(table) - _FIELDS)
    if unknown:
        raise ProfileError(
            f"profile {name} has unknown fields {', '.join(unknown)}; it may have "
            f"{', '.join(sorted(_FIELDS))}"
        )
    try:
        return replace(default, **_values(table))
    except (TypeError, ValueError) as error:
        raise ProfileError(f"profile {name}: {error}") from error


def _values(table: Mapping[str, Any]) -> dict[str, Any]:
    """Turn TOML's values into the fields' own types."""
    values = dict(table)
    if "ladder" in values:
        values["ladder"] = {int(side): rate for side, rate in dict(values["ladder"]).items()}
    if "segments" in values:
        values["segments"] = SegmentType(values["segments"])
    return values
