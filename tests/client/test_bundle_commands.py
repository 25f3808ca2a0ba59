"""`impasto bundles` and BundleAdmin, against a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from impasto_client import BundleAdmin, Client, ImpastoClientError, InvalidRequest
from impasto_client.cli import main
from impasto_server.local import local_server
from tests.core.graphs import gate_bundle


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles")
    for version in ("1", "2"):
        gate_bundle(folder / version, version=version)
    (folder / "store").mkdir()
    return folder


@pytest.fixture
def admin(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Run a server that begins with version 1, and return the address of its port for administrators."""
    options = ["--bundle", str(folder / "1"), "--bundle-probe", "off", "--bundle-store", str(folder / "store")]
    with local_server(folder, [*options, "--provider", "cpu", "--max-batch", "1", "--admin", "127.0.0.1:0"]) as server:
        monkeypatch.setenv("IMPASTO_ADMIN", f"127.0.0.1:{server.admin}")
        yield f"127.0.0.1:{server.admin}"


def test_a_version_is_loaded_listed_and_taken_out(folder: Path, admin: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bundles", "load", str(folder / "2")]) == 0
    loaded = capsys.readouterr().out.splitlines()
    assert loaded[0].split() == ["BUNDLE", "STATE", "STYLES", "SOURCE", "REASON"]
    assert loaded[1].split() == ["test@2", "current", "2", str(folder / "2")]

    assert main(["bundles", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [(bundle["name"], bundle["state"]) for bundle in listed] == [
        ("bundles/test/versions/2", "current"),
        ("bundles/test/versions/1", "pinnable"),
    ]
    assert listed[0]["styles"] == ["gold", "ink"]

    assert main(["bundles", "unload", "test@2", "--server", admin]) == 0
    assert main(["bundles", "list"]) == 0
    header, line = capsys.readouterr().out.splitlines()
    assert line.split() == ["test@1", "current", "2", str(folder / "1")]
    assert header.startswith("BUNDLE")

    assert main(["bundles", "refresh"]) == 0
    assert capsys.readouterr().err == "nothing new\n"

    assert main(["bundles", "unload", "test@9"]) == 2
    assert capsys.readouterr().err.startswith(
        "impasto: name: 'bundles/test/versions/9' is of a version that is not held"
    )
    assert main(["bundles", "unload", "test@1"]) == 1
    assert "test@1 is all that is served" in capsys.readouterr().err
    assert main(["bundles", "load", str(folder / "missing")]) == 2
    assert "source: there is no bundle.json in" in capsys.readouterr().err

    gate_bundle(folder / "bad", version="3")
    (folder / "bad" / "transformer.onnx").write_bytes(b"altered")
    with Client(admin) as client:
        bundles = BundleAdmin(client)
        with pytest.raises(ImpastoClientError, match=r"transformer.onnx has SHA-256") as caught:
            bundles.load(str(folder / "bad"))
        with pytest.raises(InvalidRequest, match="source: is empty"):
            bundles.load("")
        assert caught.value.status is grpc.StatusCode.FAILED_PRECONDITION
        assert {bundle.name: bundle.state for bundle in bundles.all()} == {
            "bundles/test/versions/3": "refused",
            "bundles/test/versions/1": "current",
        }
