"""The backends that the worker and the API share, as an operator names them.

Reads `REDIS_URL`, `MONGODB_URI`, `S3_ENDPOINT_URL`, `S3_BUCKET` and `AWS_DEFAULT_REGION`
from a mapping that the two config modules pass in; any variable may be given as
`<NAME>_FILE` instead, the path of a file that holds the value (Docker and Kubernetes
secrets). Credentials for S3 stay with the standard AWS_* chain of the driver.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit, urlunsplit

from vworker.storage import StorageSettings

#: Used when MONGODB_URI names no database in its path.
DEFAULT_DATABASE = "video_transcode"


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


def mask_credentials(url: str) -> str:
    """Return a URL without its password, for logs and messages."""
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url
    credentials, _, host = parts.netloc.rpartition("@")
    user = credentials.partition(":")[0]
    return urlunsplit(parts._replace(netloc=f"{user}:***@{host}"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Backends:
    """Where Redis, MongoDB and S3 are."""

    redis_url: str
    mongodb_uri: str
    storage: StorageSettings

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Read the backends; raises ConfigError naming the variable at fault."""
        return cls(
            redis_url=read_variable(environ, "REDIS_URL"),
            mongodb_uri=read_variable(environ, "MONGODB_URI"),
            storage=StorageSettings(
                # without an endpoint the driver talks to AWS itself
                endpoint_url=read_variable(environ, "S3_ENDPOINT_URL", "") or None,
                bucket=read_variable(environ, "S3_BUCKET"),
                region=read_variable(environ, "AWS_DEFAULT_REGION", "us-east-1"),
            ),
        )

    def __repr__(self) -> str:
        return (
            f"Backends(redis={mask_credentials(self.redis_url)}, "
            f"mongodb={mask_credentials(self.mongodb_uri)}, "
            f"s3={self.storage.endpoint_url or 'AWS'} bucket {self.storage.bucket})"
        )
