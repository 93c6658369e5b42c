"""How many processes `make test` takes."""

import pytest

from tests.conftest import pytest_xdist_auto_num_workers


@pytest.mark.parametrize("name", ["REDIS_URL", "MONGODB_URI", "S3_ENDPOINT_URL"])
def test_all_tests_run_in_one_process_where_a_server_is_given(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("REDIS_URL", "MONGODB_URI", "S3_ENDPOINT_URL"):
        monkeypatch.delenv(variable, raising=False)
    assert pytest_xdist_auto_num_workers() > 1
    monkeypatch.setenv(name, "of-somebody-else")
    assert pytest_xdist_auto_num_workers() == 0
