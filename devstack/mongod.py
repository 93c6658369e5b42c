"""The MongoDB of the embedded stack: mongod as a replica set of one member."""

from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from devstack import binaries
from devstack.ports import LOOPBACK, loopback_address
from devstack.server import Server

_REPLICA_SET = "rs0"
_DATABASE = "video_transcode"
_NOT_YET_INITIALIZED = 94  # MongoDB's error code of a replica set without a configuration


class Mongod(Server):
    """mongod 6.0; one member makes a replica set, so transactions and change streams work."""

    name = "mongod"
    variables = ("MONGODB_URI",)
    port_names = ("mongodb",)

    def settings(self) -> dict[str, str]:
        """MONGODB_URI with the product's database in its path."""
        return {"MONGODB_URI": self.uri(_DATABASE)}

    def uri(self, database: str) -> str:
        """The connection string of one database."""
        address = loopback_address(self.port("mongodb"))
        return f"mongodb://{address}/{database}?replicaSet={_REPLICA_SET}"

    def _command(self) -> list[str]:
        return [
            str(binaries.mongod()),
            f"--bind_ip={LOOPBACK}",
            f"--port={self.port('mongodb')}",
            f"--dbpath={self.data_folder}",
            f"--replSet={_REPLICA_SET}",
            # The defaults are half the machine's memory and a twentieth of its disk.
            "--wiredTigerCacheSizeGB=0.25",
            "--oplogSize=128",
            "--setParameter=diagnosticDataCollectionEnabled=false",
            "--nounixsocket",
        ]

    def _not_ready_because(self) -> str | None:
        client: MongoClient[dict[str, Any]] = MongoClient(
            LOOPBACK,
            self.port("mongodb"),
            directConnection=True,
            serverSelectionTimeoutMS=200,
            socketTimeoutMS=5_000,
        )
        with client:
            try:
                if client.admin.command("hello")["isWritablePrimary"]:
                    return None
                self._configure_replica_set(client)
            except PyMongoError as error:
                return str(error)
        return "it is not the primary yet"

    def _configure_replica_set(self, client: MongoClient[dict[str, Any]]) -> None:
        """Make this address the set's only member: in a new folder, or when the port changed."""
        address = loopback_address(self.port("mongodb"))
        try:
            config = client.admin.command("replSetGetConfig")["config"]
        except OperationFailure as error:
            if error.code != _NOT_YET_INITIALIZED:
                raise
            config = {"_id": _REPLICA_SET, "members": [{"_id": 0, "host": address}]}
            client.admin.command("replSetInitiate", config)
            return
        if config["members"][0]["host"] != address:
            config["members"] = [{**config["members"][0], "host": address}]
            config["version"] += 1
            # Forced, since a set whose only member has moved has no majority to agree to it.
            client.admin.command("replSetReconfig", config, force=True)
