"""Files of others in the player's folder are the ones that were chosen, unchanged."""

import base64
import hashlib
import tomllib
from pathlib import Path

import vapi

VENDOR = Path(vapi.__file__).parent / "player" / "vendor"
FILES = tomllib.loads((VENDOR / "vendored.toml").read_text())["file"]


def test_every_file_is_as_it_was_taken() -> None:
    for file in FILES:
        digest = hashlib.sha384((VENDOR / file["path"]).read_bytes()).digest()
        assert base64.b64encode(digest).decode() == file["sha384"], file["name"]


def test_every_file_is_listed_with_its_version_and_comes_with_its_licence() -> None:
    listed = {file["path"] for file in FILES}
    for file in FILES:
        folder = Path(file["path"]).parent
        assert folder.name == f"{file['name']}-{file['version']}"
        assert file["licence"]
        listed.add(str(folder / "LICENSE"))
    found = {str(path.relative_to(VENDOR)) for path in VENDOR.rglob("*") if path.is_file()}
    assert found == listed | {"vendored.toml"}
