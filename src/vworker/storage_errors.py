"""The errors of botocore and its HTTP client, told as ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

import aiohttp
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from vworker.errors import ObjectNotFound, RangeNotSatisfiable, StorageError, StorageUnavailable


@contextmanager
def typed_errors(operation: str, bucket: str, key: str) -> Iterator[None]:
    """Raise `StorageError`s for the driver's; the message names operation, key and finding."""
    what = f"{operation} {key} in bucket {bucket}" if key else f"{operation} bucket {bucket}"
    try:
        yield
    except ClientError as error:
        raise _answered(error, what, operation, key) from error
    except NoCredentialsError as error:
        raise StorageUnavailable(
            f"{what}: no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            operation=operation,
            key=key,
        ) from error
    except (BotoCoreError, aiohttp.ClientError) as error:
        raise StorageUnavailable(
            f"{what}: no complete answer ({error or type(error).__name__}); check "
            "S3_ENDPOINT_URL and that the storage is up",
            operation=operation,
            key=key,
        ) from error


def _answered(error: ClientError, what: str, operation: str, key: str) -> StorageError:
    code = error.response.get("Error", {}).get("Code", "unknown")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    kind: type[StorageError]
    if status == HTTPStatus.NOT_FOUND:
        kind, advice = ObjectNotFound, f"there is no such {'object' if key else 'bucket'}"
    elif status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        kind, advice = RangeNotSatisfiable, "the object is shorter than the range"
    elif status == HTTPStatus.FORBIDDEN:
        kind, advice = StorageUnavailable, "access denied, check the AWS_* credentials and policy"
    else:
        kind, advice = StorageUnavailable, "the storage refused"
    return kind(f"{what}: {advice} (HTTP {status}, {code})", operation=operation, key=key)
