"""All servers of the product, each started when it is first asked for."""

import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from devstack import ffmpeg
from devstack.folder import DataFolder
from devstack.mongod import Mongod
from devstack.seaweedfs import S3Account, SeaweedFS
from devstack.server import Server
from devstack.valkey import Valkey


class Stack:
    """Redis, MongoDB, S3 and FFmpeg for one development run or test session.

    A variable that is set in `environ` wins: that server is taken as it is and never stopped.
    Servers are ours for faults, too: `stack.redis.kill()`, `stack.redis.start()`.

        with Stack() as stack:
            stack.start()
            subprocess.run([...], env=os.environ | stack.env)
    """

    def __init__(
        self, *, folder: Path | None = None, environ: Mapping[str, str] = os.environ
    ) -> None:
        """Take the data folder: `folder` stays, a temporary one (None) goes with the stack.

        Starts nothing yet. Raises FolderInUse when another stack runs in `folder`.
        """
        self._environ = dict(environ)
        self._folder = DataFolder(folder)
        self.folder = self._folder.path
        self.redis = Valkey(self.folder / "redis")
        self.mongo = Mongod(self.folder / "mongo")
        self.s3 = SeaweedFS(self.folder / "s3", _s3_account(self._environ))

    @property
    def servers(self) -> tuple[Server, ...]:
        """In the order of starting."""
        return (self.redis, self.mongo, self.s3)

    def start(self) -> dict[str, str]:
        """Start everything that the operator has not set, and give `env`. Safe to repeat.

        Raises ServerError or ProgramMissing; what had started goes when the stack is closed.
        """
        for server in self.servers:
            self.use(server)
        return self.env

    def use(self, server: Server) -> dict[str, str]:
        """The variables of one kind of server; starts ours unless the operator has set theirs."""
        given = self._given(server)
        if given:
            return given
        server.start()
        return server.settings()

    @property
    def env(self) -> dict[str, str]:
        """All variables; raises ServerError before `start()`, ProgramMissing without FFmpeg."""
        env: dict[str, str] = {}
        for server in self.servers:
            env |= self._given(server) or server.settings()
        return env | self.ffmpeg

    @property
    def ffmpeg(self) -> dict[str, str]:
        """FFMPEG and FFPROBE: needs no server."""
        return ffmpeg.settings(self._environ)

    def stop(self) -> None:
        """Stop what this stack has started, the last first, and let go of the folder.

        Safe to repeat, and the end of this stack: make another one to start again.
        """
        for server in reversed(self.servers):
            server.stop()
        self._folder.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _given(self, server: Server) -> dict[str, str]:
        """The operator's variables for this kind of server; empty when it is ours to start."""
        if not self._environ.get(server.variables[0]):
            return {}
        return {name: self._environ[name] for name in server.variables if name in self._environ}


def _s3_account(environ: Mapping[str, str]) -> S3Account:
    """The account of our own S3: bucket, credentials and region as far as the operator set them."""
    defaults = S3Account()
    keys = environ.get("AWS_ACCESS_KEY_ID"), environ.get("AWS_SECRET_ACCESS_KEY")
    key_id, secret = keys if all(keys) else (None, None)  # half a pair signs nothing
    return S3Account(
        bucket=environ.get("S3_BUCKET") or defaults.bucket,
        access_key_id=key_id or defaults.access_key_id,
        secret_access_key=secret or defaults.secret_access_key,
        region=environ.get("AWS_DEFAULT_REGION") or defaults.region,
    )
