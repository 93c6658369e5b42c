"""The test session's real servers: each is started by the first test that asks for it."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from pymongo import MongoClient

from devstack import Stack


@dataclass(frozen=True, kw_only=True, slots=True)
class S3Settings:
    """Where the tests' S3 is and who may use it."""

    endpoint_url: str
    #: Exists; shared by the tests of a session.
    bucket: str
    access_key_id: str
    secret_access_key: str
    region: str

    @property
    def variables(self) -> dict[str, str]:
        """The same as environment variables, for child processes."""
        return {
            "S3_ENDPOINT_URL": self.endpoint_url,
            "S3_BUCKET": self.bucket,
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_DEFAULT_REGION": self.region,
        }


def start_s3(stack: Stack) -> S3Settings:
    """The session's S3, started when no test has asked for it yet."""
    given = stack.use(stack.s3)
    return S3Settings(
        endpoint_url=given["S3_ENDPOINT_URL"],
        bucket=given["S3_BUCKET"],
        access_key_id=given["AWS_ACCESS_KEY_ID"],
        secret_access_key=given["AWS_SECRET_ACCESS_KEY"],
        region=given["AWS_DEFAULT_REGION"],
    )


@contextmanager
def fresh_database(server_uri: str) -> Iterator[str]:
    """The URI of an empty database on the same server, dropped at the end."""
    name = f"test_{secrets.token_hex(6)}"
    uri = urlsplit(server_uri)._replace(path=f"/{name}").geturl()
    try:
        yield uri
    finally:
        client: MongoClient[dict[str, Any]] = MongoClient(uri)
        with client:
            client.drop_database(name)
