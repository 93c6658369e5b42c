"""Settings of the API: flags over environment over defaults, clear refusals."""

import pytest

from vapi.config import ApiSettings, build_parser, load_settings
from vworker.variable import ConfigError

BACKENDS = {
    "REDIS_URL": "redis://user:secret@127.0.0.1:6379/0",
    "MONGODB_URI": "mongodb://user:secret@127.0.0.1/db",
    "S3_BUCKET": "videos",
}


def load(*flags: str, **environ: str) -> ApiSettings:
    return load_settings(build_parser().parse_args(flags), BACKENDS | environ)


def test_defaults_are_those_of_the_documentation() -> None:
    settings = load()
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.max_upload_bytes == 10 * 1024**3
    assert settings.shutdown_grace == 10
    assert settings.log_level == "info"
    assert settings.dashboard.queues == ("video-transcode",)
    assert not settings.dashboard.are_actions_on
    assert settings.dashboard.host_names == frozenset()


def test_lists_of_the_dashboard_are_taken_apart() -> None:
    variables = {"VAPI_DASHBOARD_QUEUES": "a, b,a", "VAPI_DASHBOARD_HOSTS": "Q.example,"}
    dashboard = load(**variables).dashboard
    assert dashboard.queues == ("a", "b")
    assert dashboard.host_names == {"q.example"}


def test_a_flag_wins_over_its_variable() -> None:
    assert load(VAPI_PORT="9000").port == 9000
    assert load("--port", "9001", VAPI_PORT="9000").port == 9001
    assert load("--host", "::1", VAPI_HOST="0.0.0.0").host == "::1"  # noqa: S104


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("VAPI_PORT", "70000"),
        ("VAPI_PORT", "-1"),
        ("VAPI_PORT", "http"),
        ("VAPI_PORT", "٣"),
        ("VAPI_MAX_UPLOAD_BYTES", "0"),
        ("VAPI_MAX_UPLOAD_BYTES", "10G"),
        ("VAPI_SHUTDOWN_GRACE", "0.5"),
        ("VAPI_LOG_LEVEL", "loud"),
        ("VAPI_DASHBOARD_ACTIONS", "1"),
        ("VAPI_DASHBOARD_QUEUES", ","),
        ("VAPI_DASHBOARD_QUEUES", "a b"),
        ("VAPI_DASHBOARD_HOSTS", "http://q.example"),
        ("REDIS_URL", "127.0.0.1:6379"),
        ("MONGODB_URI", "127.0.0.1"),
        ("S3_ENDPOINT_URL", "127.0.0.1:9"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(variable: str, value: str) -> None:
    with pytest.raises(ConfigError, match=variable):
        load(**{variable: value})


def test_credentials_stay_out_of_representations() -> None:
    assert "secret" not in repr(load())
