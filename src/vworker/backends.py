"""The backends that the worker and the API share, as an operator names them.

Reads `REDIS_URL`, `MONGODB_URI`, `S3_ENDPOINT_URL`, `S3_BUCKET` and `AWS_DEFAULT_REGION`
from a mapping that the two config modules pass in. Credentials for S3 stay with the standard AWS_*
chain of the driver.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from pymongo.errors import PyMongoError
from pymongo.uri_parser import parse_uri

from vqueue.errors import InvalidOption
from vqueue.sources import check_url
from vworker.storage import StorageSettings
from vworker.variable import ConfigError, read_variable

#: Used when MONGODB_URI names no database in its path.
DEFAULT_DATABASE = "video_transcode"


def mask_credentials(url: str) -> str:
    """Return a URL without its password, for logs and messages.

    Also one that is no URL because a "/" of the password was not percent-encoded: everything from
    the scheme to the last "@" counts as credentials.
    """
    scheme, separator, rest = url.partition("://")
    credentials, at, host = rest.rpartition("@")
    if not at:
        return url
    user = credentials.partition(":")[0]
    return f"{scheme}{separator}{user}:***@{host}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Backends:
    """Where Redis, MongoDB and S3 are."""

    redis_url: str
    mongodb_uri: str
    storage: StorageSettings

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Read the backends; raises ConfigError naming the variable at fault.

        Looks at the addresses' form only: nothing is resolved or connected to.
        """
        redis_url = read_variable(environ, "REDIS_URL")
        _check_redis_url(redis_url)
        mongodb_uri = read_variable(environ, "MONGODB_URI")
        _check_mongodb_uri(mongodb_uri)
        # without an endpoint the driver talks to AWS itself
        endpoint_url = read_variable(environ, "S3_ENDPOINT_URL", "") or None
        if endpoint_url is not None:
            _check_endpoint_url(endpoint_url)
        return cls(
            redis_url=redis_url,
            mongodb_uri=mongodb_uri,
            storage=StorageSettings(
                endpoint_url=endpoint_url,
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


def _check_redis_url(url: str) -> None:
    try:
        check_url(url)
    except InvalidOption as error:
        # The driver's own words may quote the part of a password that it took for a port.
        raise ConfigError(
            f"REDIS_URL={mask_credentials(url)} cannot be used: write redis://host:port/db, "
            "redis+sentinel://host:port,host:port/service/db, redis+cluster://host:port,host:port, "
            "rediss… in front for TLS, or unix:///path, with credentials percent-encoded"
        ) from error


def _check_mongodb_uri(uri: str) -> None:
    if uri.startswith("mongodb+srv://"):
        return  # checking it asks the DNS, which may be down now and back later
    try:
        parse_uri(uri)
    except (PyMongoError, ValueError) as error:
        raise ConfigError(
            f"MONGODB_URI={mask_credentials(uri)} cannot be used: {error}; write "
            "mongodb://host:port/database?replicaSet=name"
        ) from error


def _check_endpoint_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:  # a port that is no number, a bracket that is not closed
        usable = False
    if not usable:
        raise ConfigError(
            f"S3_ENDPOINT_URL={mask_credentials(url)} cannot be used: write http://host:port "
            "or https://host:port, or unset it for AWS"
        )
