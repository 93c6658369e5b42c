"""The embedded servers: real ones start, come back after faults, and go with their parent."""

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import redis
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
from pymongo import MongoClient

from devstack import Mongod, SeaweedFS, Server, ServerError, Stack, Valkey
from devstack.daemons import DaemonFailed, choose_api_port
from devstack.folder import DataFolder, FolderInUse
from devstack.ports import LOOPBACK

DEADLINE_S = 60.0


def redis_client(settings: dict[str, str]) -> "redis.Redis":
    return redis.Redis.from_url(settings["REDIS_URL"], socket_timeout=DEADLINE_S)


def s3_client(settings: dict[str, str], config: Config | None = None) -> Any:
    return botocore.session.get_session().create_client(
        "s3",
        endpoint_url=settings["S3_ENDPOINT_URL"],
        aws_access_key_id=settings["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=settings["AWS_SECRET_ACCESS_KEY"],
        region_name=settings["AWS_DEFAULT_REGION"],
        config=config,
    )


def store(settings: dict[str, str], value: str) -> None:
    """Write a value to whichever kind of server the settings name, acknowledged."""
    if "REDIS_URL" in settings:
        with redis_client(settings) as client:
            client.set("kept", value)
    elif "MONGODB_URI" in settings:
        with MongoClient[dict[str, Any]](settings["MONGODB_URI"]) as client:
            values = client.get_default_database()["kept"]
            values.insert_one({"value": value})
    else:
        with contextlib.closing(s3_client(settings)) as client:
            client.put_object(Bucket=settings["S3_BUCKET"], Key="kept", Body=value.encode())


def stored(settings: dict[str, str]) -> str:
    """Read what `store` has written."""
    if "REDIS_URL" in settings:
        with redis_client(settings) as client:
            return str(client.get("kept"), "utf-8")
    if "MONGODB_URI" in settings:
        with MongoClient[dict[str, Any]](settings["MONGODB_URI"]) as client:
            return str(client.get_default_database()["kept"].find({})[0]["value"])
    with contextlib.closing(s3_client(settings)) as client:
        return str(
            client.get_object(Bucket=settings["S3_BUCKET"], Key="kept")["Body"].read(), "utf-8"
        )


@pytest.fixture(params=[Valkey, Mongod, SeaweedFS])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    with request.param(tmp_path) as server:
        yield server


def test_killed_server_comes_back_on_its_port_with_its_data(server: Server) -> None:
    settings = server.settings()
    store(settings, "before the crash")

    server.kill()
    assert not server.is_running
    server.start()

    assert server.settings() == settings
    assert stored(settings) == "before the crash"


def test_data_is_found_when_the_server_moves_to_other_ports(server: Server) -> None:
    before = server.settings()
    store(before, "kept")
    server.stop()
    (server.folder / "ports.json").unlink()

    with type(server)(server.folder) as again:
        assert again.settings() != before
        assert stored(again.settings()) == "kept"


def test_port_of_an_earlier_run_is_given_up_when_it_is_taken(tmp_path: Path) -> None:
    with Valkey(tmp_path) as server:
        port = server.port("redis")
    with socket.create_server((LOOPBACK, port)), Valkey(tmp_path) as again:
        assert again.port("redis") != port


def listening_addresses(pid: int) -> set[tuple[str, int]]:
    """Where a process listens, as the kernel's tables tell: hexadecimal host, port."""
    process = Path(f"/proc/{pid}")
    handles = set()
    for handle in (process / "fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed since we read its name
            handles.add(str(handle.readlink()))
    addresses = set()
    for table in ("tcp", "tcp6"):
        for line in (process / "net" / table).read_text().splitlines()[1:]:
            _, local, _, state, *_, inode = line.split()[:10]
            if state == "0A" and f"socket:[{inode}]" in handles:
                host, port = local.split(":")
                addresses.add((host, int(port, 16)))
    return addresses


def test_server_listens_on_its_loopback_ports_only(server: Server) -> None:
    own = {("0100007F", server.port(name)) for name in server.port_names}
    listening = listening_addresses(server.pid)

    assert listening <= own, "an unexpected address or port"
    # SeaweedFS's admin service comes up after the S3 that we wait for.
    assert {port for _, port in own - listening} <= {
        server.port(name) for name in server.port_names if name.startswith("admin.")
    }


def test_valkey_appends_every_write_to_its_file(tmp_path: Path) -> None:
    with Valkey(tmp_path) as server, redis_client(server.settings()) as client:
        assert client.config_get("append*")["appendonly"] == "yes"
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


def test_mongod_is_a_primary_that_takes_transactions(tmp_path: Path) -> None:
    with (
        Mongod(tmp_path) as server,
        MongoClient[dict[str, Any]](server.settings()["MONGODB_URI"]) as client,
    ):
        videos = client.get_default_database()["videos"]
        with client.start_session() as session, session.start_transaction():
            videos.insert_one({"_id": "in a transaction"}, session=session)

        assert videos.database.name == "video_transcode"
        assert videos.count_documents({}) == 1


def test_s3_refuses_requests_that_are_not_signed(tmp_path: Path) -> None:
    with SeaweedFS(tmp_path) as server:
        settings = server.settings()
        with (
            contextlib.closing(s3_client(settings, Config(signature_version=UNSIGNED))) as client,
            pytest.raises(ClientError, match="AccessDenied"),
        ):
            client.list_objects_v2(Bucket=settings["S3_BUCKET"])


def test_paused_server_keeps_connections_and_answers_when_resumed(tmp_path: Path) -> None:
    with (
        Valkey(tmp_path) as server,
        redis.Redis.from_url(server.settings()["REDIS_URL"], socket_timeout=0.2) as client,
    ):
        client.set("key", "value")
        server.pause()
        with pytest.raises(redis.TimeoutError):
            client.get("key")
        server.resume()

        assert server.is_running
        assert redis_client(server.settings()).get("key") == b"value"


def test_paused_server_is_stopped_in_its_own_way(tmp_path: Path) -> None:
    server = Valkey(tmp_path)
    server.start()
    with watched([server.pid]) as ended:
        server.pause()
        server.stop()
        ended.wait()
    assert "Valkey is now ready to exit, bye bye" in server.log_path.read_text()


def test_server_outlives_the_thread_that_started_it(tmp_path: Path) -> None:
    server = Valkey(tmp_path)
    starter = threading.Thread(target=server.start)
    starter.start()
    starter.join()
    try:
        store(server.settings(), "still there")
        assert stored(server.settings()) == "still there"
    finally:
        server.stop()


class _LosesItsFirstPort(Valkey):
    """Another process takes the chosen port before the server binds it, once."""

    def __init__(self, folder: Path, thief: socket.socket) -> None:
        super().__init__(folder)
        self._thief: socket.socket | None = thief

    def _command(self) -> list[str]:
        if self._thief is not None:
            self._thief.bind((LOOPBACK, self.port("redis")))
            self._thief.listen()
            self._thief = None
        return super()._command()


def test_port_lost_while_starting_is_replaced(tmp_path: Path) -> None:
    with socket.socket() as thief, _LosesItsFirstPort(tmp_path, thief) as server:
        assert server.port("redis") != thief.getsockname()[1]
        store(server.settings(), "on another port")


def test_server_that_cannot_start_shows_the_end_of_its_log(tmp_path: Path) -> None:
    server = Valkey(tmp_path)
    server.data_folder.mkdir()
    (server.data_folder / "appendonlydir").write_text("a file where a folder belongs")

    with pytest.raises(ServerError, match=r"valkey-server ended .*(?s:.*)appendonlydir"):
        server.start()
    assert not server.is_running


def test_variable_that_is_set_wins_and_its_server_is_not_started(tmp_path: Path) -> None:
    theirs = {"REDIS_URL": "redis://theirs/3", "FFMPEG": "/theirs/ffmpeg", "S3_BUCKET": "theirs"}
    with Stack(folder=tmp_path, environ=theirs) as stack:
        env = stack.start()

        assert env.items() >= theirs.items()
        assert not stack.redis.is_running
        assert stack.mongo.is_running
        with contextlib.closing(s3_client(env)) as client:
            client.put_object(Bucket="theirs", Key="key", Body=b"")
    assert not stack.mongo.is_running
    assert not stack.s3.is_running


def test_ffmpeg_can_be_named_to_a_shell_without_any_server() -> None:
    told = subprocess.run(
        ["/bin/sh", "-c", f'eval "$({sys.executable} -m devstack ffmpeg)" && "$FFMPEG" -version'],
        env={name: value for name, value in os.environ.items() if name != "FFMPEG"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert told.stdout.startswith("ffmpeg version")


def test_folder_keeps_data_and_addresses_for_the_next_stack(tmp_path: Path) -> None:
    with Stack(folder=tmp_path, environ={}) as stack:
        first = stack.start()
        for server in stack.servers:
            store(server.settings(), "from the first")
    with Stack(folder=tmp_path, environ={}) as stack:
        assert stack.start() == first
        assert [stored(server.settings()) for server in stack.servers] == ["from the first"] * 3


def test_folder_of_a_running_stack_is_refused(tmp_path: Path) -> None:
    with Stack(folder=tmp_path, environ={}), pytest.raises(FolderInUse, match="another stack"):
        Stack(folder=tmp_path, environ={})


class _Ended:
    """Waits for processes that need not be our children."""

    def __init__(self, handles: list[int]) -> None:
        self._handles = handles

    def wait(self) -> None:
        for handle in self._handles:
            assert select.select([handle], [], [], DEADLINE_S)[0], "a process is still running"


@contextlib.contextmanager
def watched(pids: list[int]) -> Iterator[_Ended]:
    """Handles to processes, taken while they live, so that no recycled id deceives us."""
    handles = [os.pidfd_open(pid) for pid in pids]
    try:
        yield _Ended(handles)
    finally:
        for handle in handles:
            os.close(handle)


@contextlib.contextmanager
def devstack_env(temporary: Path) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """`python -m devstack env` when it is ready, with the pids of its servers."""
    environ = {"PATH": os.environ["PATH"], "TMPDIR": str(temporary)}
    command = [sys.executable, "-m", "devstack", "env"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ) as parent:
        try:
            assert parent.stdout is not None
            lines = iter(parent.stdout)
            names = []
            while (line := next(lines)).startswith("export "):
                names.append(line.split()[1].partition("=")[0])
            assert line.startswith("# ready")
            assert {"REDIS_URL", "MONGODB_URI", "S3_ENDPOINT_URL", "FFPROBE"} <= set(names)
            tasks = Path(f"/proc/{parent.pid}/task").glob("*/children")
            yield parent, [int(pid) for task in tasks for pid in task.read_text().split()]
        finally:
            parent.kill()


@pytest.fixture
def short_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder: SeaweedFS binds sockets below it, and their paths may have 107 bytes."""
    return tmp_path_factory.mktemp("s")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_stops_the_servers_and_removes_their_data(
    number: signal.Signals, short_path: Path
) -> None:
    with devstack_env(short_path) as (parent, servers), watched(servers) as ended:
        assert len(servers) == 3
        parent.send_signal(number)

        assert parent.wait(DEADLINE_S) == 128 + number
        ended.wait()
        assert list(short_path.iterdir()) == []


def test_crash_of_the_parent_leaves_no_server_and_the_next_stack_no_data(short_path: Path) -> None:
    with devstack_env(short_path) as (parent, servers), watched(servers) as ended:
        assert len(servers) == 3
        parent.kill()
        ended.wait()


def test_data_that_a_killed_process_left_is_removed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    holds_a_folder = (
        "from devstack.folder import DataFolder;"
        " folder = DataFolder(None); print(folder.path, flush=True); input()"
    )
    command = [sys.executable, "-c", holds_a_folder]
    environ = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ
    ) as holder:
        assert holder.stdout is not None
        path = Path(holder.stdout.readline().strip())
        DataFolder(None).close()
        assert path.is_dir(), "a folder in use was removed"
        holder.kill()
        holder.wait(DEADLINE_S)
    DataFolder(None).close()
    assert not path.exists()


def test_an_api_port_of_zero_is_a_free_one() -> None:
    assert 0 < choose_api_port({"VAPI_PORT": "0"}) < 65536
    assert choose_api_port({"VAPI_PORT": "8123"}) == 8123
    with pytest.raises(DaemonFailed, match="VAPI_PORT='http' is no port"):
        choose_api_port({"VAPI_PORT": "http"})
