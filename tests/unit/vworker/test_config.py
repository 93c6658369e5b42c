"""Settings: flags over environment over defaults, clear refusals, documented names."""

import re
from pathlib import Path

import pytest

from vworker.backends import Backends, mask_credentials
from vworker.config import WorkerSettings, build_parser, load_settings
from vworker.media.encoding import Encoding, SegmentType
from vworker.media.profiles import load_profiles
from vworker.variable import ConfigError, read_variable

ROOT = Path(__file__).parents[3]
BACKENDS = {
    "REDIS_URL": "redis://user:secret@127.0.0.1:6379/0",
    "MONGODB_URI": "mongodb://user:secret@127.0.0.1/db",
    "S3_BUCKET": "videos",
    # any program will do: only its presence is looked at
    "FFMPEG": "sh",
    "FFPROBE": "sh",
}


def load(*flags: str, **environ: str) -> WorkerSettings:
    return load_settings(build_parser().parse_args(flags), BACKENDS | environ)


def test_defaults_are_those_of_the_documentation() -> None:
    settings = load()
    assert settings.concurrency == 2
    assert settings.processes == 1
    assert settings.lock_duration == 300
    assert settings.shutdown_grace == 25
    assert settings.media.encoding == Encoding()
    assert settings.media.profiles == load_profiles(Encoding(), None)


def test_ffmpeg_runs_confined_unless_the_operator_says_otherwise() -> None:
    assert load().sandbox.mode == "require"
    assert load(WORKER_SANDBOX="rlimits").sandbox.mode == "rlimits"


def test_a_flag_wins_over_its_variable() -> None:
    assert load(WORKER_CONCURRENCY="3").concurrency == 3
    assert load("--concurrency", "5", WORKER_CONCURRENCY="3").concurrency == 5


def test_the_encoding_can_be_chosen(tmp_path: Path) -> None:
    profiles = tmp_path / "profiles.toml"
    profiles.write_text("[mine]\ncrf = 40\n")
    media = load(
        WORKER_LADDER="720:2500k, 240:300000",
        WORKER_PRESET="slow",
        WORKER_CRF="20",
        WORKER_SEGMENT_SECONDS="4",
        WORKER_KEYFRAME_SECONDS="4",
        WORKER_SEGMENT_TYPE="fmp4",
        WORKER_AUDIO_BITRATE="96k",
        WORKER_LOUDNESS="-16",
        WORKER_PROFILES=str(profiles),
        WORKER_ENCODER_THREADS="3",
    ).media
    assert media.encoding == Encoding(
        ladder={720: 2_500_000, 240: 300_000},
        preset="slow",
        crf=20,
        segment_s=4,
        keyframe_s=4,
        segments=SegmentType.FMP4,
        audio_bitrate=96_000,
        loudness_lufs=-16.0,
    )
    assert media.profiles["mine"].crf == 40
    assert media.profiles["mine"].preset == "slow"
    assert media.encoder_threads == 3


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("WORKER_CONCURRENCY", "0"),
        ("WORKER_CONCURRENCY", "two"),
        ("WORKER_CONCURRENCY", "1.5"),
        ("WORKER_PROCESSES", "0"),
        ("WORKER_LOCK_DURATION", "nan"),
        ("WORKER_LOCK_DURATION", "inf"),
        ("WORKER_START_TIMEOUT", "1e300"),
        ("WORKER_LOCK_DURATION", "0.5"),
        ("WORKER_SHUTDOWN_GRACE", "-1"),
        ("WORKER_PRESET", "warp"),
        ("WORKER_LADDER", "720"),
        ("WORKER_LADDER", "720:fast"),
        ("WORKER_LADDER", "tall:800k"),
        ("WORKER_LADDER", "721:800k"),
        ("WORKER_LADDER", "720:1"),
        ("WORKER_LADDER", "1080:5000k,480:1400k"),
        ("WORKER_CRF", "52"),
        ("WORKER_CRF", "1.5"),
        ("WORKER_SEGMENT_SECONDS", "5"),
        ("WORKER_KEYFRAME_SECONDS", "0"),
        ("WORKER_SEGMENT_TYPE", "mkv"),
        ("WORKER_AUDIO_BITRATE", "128kb"),
        ("WORKER_LOUDNESS", "loud"),
        ("WORKER_LOUDNESS", "nan"),
        ("WORKER_PROFILES", "/no/such/file"),
        ("WORKER_ENCODER_THREADS", "-1"),
        ("WORKER_LOG_LEVEL", "loud"),
        ("FFMPEG", "/no/such/program"),
        ("REDIS_URL", "foo://"),
        ("REDIS_URL", "redis+sentinel://a:1,b:2"),
        ("REDIS_URL", "127.0.0.1:6379"),
        ("REDIS_URL", "redis://127.0.0.1:abc"),
        ("MONGODB_URI", "foo"),
        ("MONGODB_URI", "127.0.0.1"),
        ("MONGODB_URI", "mongodb://"),
        ("S3_ENDPOINT_URL", "127.0.0.1:9"),
        ("S3_ENDPOINT_URL", "localhost"),
        ("S3_ENDPOINT_URL", "s3://videos"),
        ("S3_ENDPOINT_URL", "http://"),
        ("S3_ENDPOINT_URL", "http://127.0.0.1:abc"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(variable: str, value: str) -> None:
    with pytest.raises(ConfigError, match=variable):
        load(**{variable: value})


def test_a_program_may_be_named_from_the_folder_at_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "ffmpeg"
    program.touch(mode=0o700)
    monkeypatch.chdir(tmp_path)
    # It is started in a folder of the attempt's own.
    assert load(FFMPEG="./ffmpeg").media.ffmpeg == str(program)
    monkeypatch.setenv("PATH", ".")
    media = load(FFMPEG="ffmpeg", FFPROBE="./ffmpeg").media
    assert (media.ffmpeg, media.ffprobe) == (str(program), str(program))


def test_the_scratch_folder_may_be_named_from_the_folder_at_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(WORKER_TEMP_DIR="scratch").temp_dir == tmp_path / "scratch"


def test_a_program_that_cannot_be_started_is_told_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plain").touch(mode=0o600)
    (tmp_path / "folder").mkdir()
    for name, reason in (
        ("./none", f"there is no file {tmp_path}/none"),
        ("./plain", f"{tmp_path}/plain is not executable"),
        ("./folder", f"{tmp_path}/folder is a folder"),
        ("no-such-program", "there is no program no-such-program on the PATH"),
    ):
        with pytest.raises(ConfigError, match=f"FFMPEG={name} cannot be used: {reason}"):
            load(FFMPEG=name)


@pytest.mark.parametrize("variable", ["REDIS_URL", "MONGODB_URI", "S3_BUCKET"])
def test_a_missing_backend_is_named(variable: str) -> None:
    with pytest.raises(ConfigError, match=f"{variable} is not set"):
        load(**{variable: ""})


def test_a_secret_can_come_from_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "redis_url"
    secret.write_text("redis://10.0.0.1/1\n")
    assert read_variable({"REDIS_URL_FILE": str(secret)}, "REDIS_URL") == "redis://10.0.0.1/1"


def test_a_secret_given_twice_or_unreadable_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="both set"):
        read_variable({"A": "x", "A_FILE": "y"}, "A")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_variable({"A_FILE": str(tmp_path / "absent")}, "A")


def test_passwords_stay_out_of_messages() -> None:
    for variable, value in (
        ("REDIS_URL", "redis://:secret@127.0.0.1:abc"),
        ("REDIS_URL", "redis://:secret/secret@127.0.0.1/0"),
        ("MONGODB_URI", "mongodb://user:sec:ret@127.0.0.1/db"),
        ("MONGODB_URI", "mongodb://user:secret/secret@127.0.0.1/db"),
        ("S3_ENDPOINT_URL", "http://user:secret@127.0.0.1:abc"),
    ):
        with pytest.raises(ConfigError) as refused:
            load(**{variable: value})
        assert "sec:ret" not in str(refused.value)
        assert "secret" not in str(refused.value)


def test_a_srv_address_is_not_looked_up_at_the_start() -> None:
    load(MONGODB_URI="mongodb+srv://nowhere.invalid/db")


@pytest.mark.parametrize(
    "url", ["redis+sentinel://:secret@a:1,b:2/videos/0", "rediss+cluster://user:secret@a:1,b:2"]
)
def test_redis_may_be_several_servers(url: str) -> None:
    backends = Backends.from_environ({**BACKENDS, "REDIS_URL": url})
    assert backends.redis_url == url
    assert "secret" not in repr(backends)


def test_passwords_stay_out_of_representations() -> None:
    text = repr(Backends.from_environ(BACKENDS))
    assert "secret" not in text
    assert mask_credentials("redis://:secret@host/0") == "redis://:***@host/0"
    assert mask_credentials("redis://u:secret/#?secret@host/0") == "redis://u:***@host/0"
    assert mask_credentials("unix:///run/redis.sock?db=1") == "unix:///run/redis.sock?db=1"


def test_every_variable_is_documented_and_every_documented_one_exists() -> None:
    sources = [
        ROOT / "src/vworker/config.py",
        ROOT / "src/vworker/containment_config.py",
        ROOT / "src/vworker/encoding_config.py",
        ROOT / "src/vworker/media_config.py",
        ROOT / "src/vworker/backends.py",
        ROOT / "src/vapi/config.py",
    ]
    read = {
        name
        for path in sources
        for name in re.findall(
            r'"((?:WORKER_|VAPI_|S3_|FF|REDIS_|MONGODB_)[A-Z_]+)"', path.read_text()
        )
    }
    text = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"`((?:WORKER_|VAPI_|S3_|FF|REDIS_|MONGODB_)[A-Z_]+)`", text))
    assert read == documented
