"""The S3 of the embedded stack: SeaweedFS with credentials and one bucket."""

import contextlib
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from devstack import binaries
from devstack.ports import LOOPBACK, free_ports, loopback_address
from devstack.server import Server

# The admin service has no switch, only its pages have.
_PARTS = ("master", "volume", "filer", "s3", "admin")
# SeaweedFS's own convention. All ports can be given as flags, but its maintenance worker dials
# the admin service at this offset whatever the flags say.
_GRPC_OFFSET = 10_000
_PROBE_KEY = ".devstack-ready"


@dataclass(frozen=True, kw_only=True, slots=True)
class S3Account:
    """The bucket and the credentials that a SeaweedFS is started with."""

    #: Created at the first start; three characters or more.
    bucket: str = "videos"
    #: The one identity; requests signed by another, or unsigned, are refused.
    access_key_id: str = "devstack"
    #: Not secret: it guards a server that only this machine reaches.
    secret_access_key: str = "devstack-secret"  # noqa: S105
    #: Part of every signature; SeaweedFS accepts any.
    region: str = "us-east-1"


class SeaweedFS(Server):
    """`weed mini`: master, volume server, filer and S3 gateway in one process."""

    name = "seaweedfs"
    variables = (
        "S3_ENDPOINT_URL",
        "S3_BUCKET",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_DEFAULT_REGION",
    )
    port_names = tuple(f"{part}.port{kind}" for part in _PARTS for kind in ("", ".grpc"))

    def __init__(self, folder: Path, account: S3Account | None = None) -> None:
        super().__init__(folder)
        self.account = account or S3Account()
        # Keeps what it has parsed: a client of a new one takes 80 ms of CPU, and each look whether
        # the server is ready makes a client.
        self._session = botocore.session.get_session()

    def settings(self) -> dict[str, str]:
        """The endpoint, the bucket and the standard AWS variables."""
        return {
            "S3_ENDPOINT_URL": f"http://{loopback_address(self.port('s3.port'))}",
            "S3_BUCKET": self.account.bucket,
            "AWS_ACCESS_KEY_ID": self.account.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.account.secret_access_key,
            "AWS_DEFAULT_REGION": self.account.region,
        }

    def stop(self, *, grace_s: float = 10.0) -> None:
        """End the server as `Server.stop` does, and remove the sockets that it leaves in /tmp."""
        super().stop(grace_s=grace_s)
        self._remove_sockets()

    def kill(self) -> None:
        """End the server as `Server.kill` does, and remove the sockets that it leaves in /tmp."""
        super().kill()
        self._remove_sockets()

    def _new_ports(self) -> dict[str, int]:
        numbers = free_ports(len(_PARTS), twin_offset=_GRPC_OFFSET)
        ports: dict[str, int] = {}
        for part, number in zip(_PARTS, numbers, strict=True):
            ports |= {f"{part}.port": number, f"{part}.port.grpc": number + _GRPC_OFFSET}
        return ports

    def _remove_sockets(self) -> None:
        """SeaweedFS puts one socket per gRPC port in /tmp, whatever TMPDIR says."""
        for part in _PARTS:
            port = self._ports.get(f"{part}.port.grpc")
            Path(f"/tmp/seaweedfs-{part}-grpc-{port}.sock").unlink(missing_ok=True)  # noqa: S108

    def _command(self) -> list[str]:
        return [
            str(binaries.weed()),
            "-logtostderr=true",
            "mini",
            f"-dir={self.data_folder}",
            f"-ip={LOOPBACK}",
            f"-ip.bind={LOOPBACK}",
            *(f"-{name}={port}" for name, port in self._ports.items()),
            f"-bucket={self.account.bucket}",
            "-master.telemetry=false",  # on by default: it reports to the maker's server
            # The volumes tell a new master all that it must know; one that takes up its old state
            # first waits 5 s for them in some starts (1 of 8; without it, none of 32).
            "-master.resumeState=false",
            "-admin.ui=false",
            "-webdav=false",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            f"-filer.localSocket={self.folder / 'filer.sock'}",
            f"-s3.localSocket={self.folder / 's3.sock'}",
            "-volume.preStopSeconds=0",  # no other server to be told before it goes
        ]

    def _environ(self) -> dict[str, str]:
        return {
            **super()._environ(),
            "AWS_ACCESS_KEY_ID": self.account.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.account.secret_access_key,
        }

    def _not_ready_because(self) -> str | None:
        try:
            return self._volumes_missing_because() or self._write_refused_because()
        except (HTTPException, OSError) as error:
            return str(error)

    def _write_refused_because(self) -> str | None:
        with contextlib.closing(self._client()) as client:
            try:
                # Not an empty object: that one needs no volume server.
                client.put_object(Bucket=self.account.bucket, Key=_PROBE_KEY, Body=b"ready")
                client.delete_object(Bucket=self.account.bucket, Key=_PROBE_KEY)
            except (BotoCoreError, ClientError) as error:
                return str(error)
        return None

    def _volumes_missing_because(self) -> str | None:
        """Ask the master for each volume on the disk.

        After a restart it may take seconds to hear of them; until then, objects that were
        acknowledged long ago answer with InternalError.
        """
        master = HTTPConnection(LOOPBACK, self.port("master.port"), timeout=10)
        with contextlib.closing(master):
            for path in self.data_folder.glob("*.dat"):  # <collection>_<volume id>.dat
                volume_id = path.stem.rpartition("_")[2]
                master.request("GET", f"/dir/lookup?volumeId={volume_id}")
                response = master.getresponse()
                response.read()
                if response.status != HTTPStatus.OK:
                    return f"the master does not know volume {volume_id} yet"
        return None

    def _client(self) -> Any:
        return self._session.create_client(
            "s3",
            endpoint_url=f"http://{loopback_address(self.port('s3.port'))}",
            aws_access_key_id=self.account.access_key_id,
            aws_secret_access_key=self.account.secret_access_key,
            region_name=self.account.region,
            config=Config(
                connect_timeout=1,
                read_timeout=10,
                retries={"total_max_attempts": 1},
                s3={"addressing_style": "path"},
            ),
        )
