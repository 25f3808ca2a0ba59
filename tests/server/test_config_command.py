"""`impasto-server config` and `impasto-server token`."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from impasto_server.config import Config, load
from impasto_server.identity.callers_file import read_callers
from impasto_server.identity.roles import Role
from impasto_server.identity.tokens import digest_of
from impasto_server.main import main


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments) == 0
    return capsys.readouterr().out


def test_config_shows_every_option_with_where_its_value_comes_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "impasto.toml"
    file.write_text("engine_runs = 4\ncodec_threads = 7\n")
    monkeypatch.setenv("IMPASTO_CODEC_THREADS", "5")
    text = printed(
        capsys, "config", "--config", str(file), "--working-size", "300", "--bundle", "a b", "--bundle", 'c"'
    )
    lines = text.splitlines()
    assert [line.removeprefix("# ").partition(" ")[0] for line in lines] == list(Config.model_fields)
    assert "working_size = 300  # from the command line" in lines
    assert "codec_threads = 5  # from the environment" in lines
    assert f"engine_runs = 4  # from {file}" in lines
    assert "insecure = false  # from the default" in lines
    assert "# callers_file is not set  # from the default" in lines
    assert 'bundles = ["a b", "c\\""]  # from the command line' in lines


def test_what_config_shows_is_a_file_that_comes_to_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--working-size", "300", "--bundle", "a\\b\u00e9\x7f", "--jobs", "off", "--insecure", "--workers", "2"]
    file = tmp_path / "impasto.toml"
    file.write_text(printed(capsys, "config", *arguments), encoding="utf-8")
    assert tomllib.loads(file.read_text("utf-8"))["bundles"] == ["a\\b\u00e9\x7f"]
    assert load(["--config", str(file)]) == load(arguments).model_copy(update={"config": file})


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:hush@db/jobs", "postgresql://me:***@db/jobs"),
        ("postgresql://me:hu/sh@hush@db:5432/jobs", "postgresql://me:***@db:5432/jobs"),
        ("postgresql+psycopg://me:hush@db/jobs", "postgresql+psycopg://me:***@db/jobs"),
        ("postgresql://db/jobs?user=me&password=hush&sslmode=require", None),
        ("postgresql://db/jobs?sslpassword=hush", "postgresql://db/jobs?sslpassword=***"),
        ("s3://key:hush@bucket/prefix", "s3://key:***@bucket/prefix"),
        ("postgresql://me@db/jobs", "postgresql://me@db/jobs"),
        ("sqlite:////var/a:b@c/jobs.sqlite", "sqlite:////var/a:b@c/jobs.sqlite"),
    ],
)
def test_config_shows_no_passwords(capsys: pytest.CaptureFixture[str], url: str, shown: str | None) -> None:
    text = printed(capsys, "config", "--database", url, "--blobs", url)
    shown = shown or "postgresql://db/jobs?user=me&password=***&sslmode=require"
    assert f'database = "{shown}"' in text
    assert f'blobs = "{shown}"' in text
    assert "hush" not in text


def test_config_refuses_what_the_server_would(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "--listen", "0.0.0.0:8500"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("impasto-server: listen: 0.0.0.0:8500 can be reached")


def test_token_prints_a_token_and_a_table_that_knows_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(
        capsys, "token", "--name", "web", "--roles", "stylize,admin", "--expires", "2099-12-31T18:00:00+01:00"
    )
    token, empty, table = text.split("\n", 2)
    assert empty == ""
    assert token not in table
    assert len(token) >= 43  # characters that 256 bits take
    file = tmp_path / "callers.toml"
    file.write_text(table)
    identity = read_callers(file).by_token[digest_of(token)]
    assert (identity.name, set(identity.roles)) == ("web", {Role.STYLIZE, Role.ADMIN})
    assert identity.expires is not None
    assert identity.expires.isoformat() == "2099-12-31T18:00:00+01:00"


def test_each_token_is_another_and_by_default_is_for_ever(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = (printed(capsys, "token", "--name", "web") for _ in range(2))
    assert first.splitlines()[0] != second.splitlines()[0]
    file = tmp_path / "callers.toml"
    file.write_text(first.split("\n", 1)[1])
    (identity,) = read_callers(file).by_token.values()
    assert (identity.expires, set(identity.roles)) == (None, {Role.STYLIZE, Role.JOBS})


def test_a_day_is_meant_in_utc(capsys: pytest.CaptureFixture[str]) -> None:
    assert "expires = 2099-12-31T00:00:00+00:00" in printed(capsys, "token", "--name", "web", "--expires", "2099-12-31")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((), "the following arguments are required: --name"),
        (("--name", "we b"), "'we b' should be 1 to 128 letters, digits"),
        (("--name", "web", "--roles", "paint"), "'paint' is not allowed; give any of stylize, jobs, admin"),
        (("--name", "web", "--roles", ""), "'' is not allowed"),
        (("--name", "web", "--expires", "soon"), "'soon' is no time; give one such as 2030-12-31"),
        (("--name", "web", "--expires", "2020-01-01"), "'2020-01-01' is over already"),
    ],
)
def test_a_bad_argument_makes_no_token(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], problem: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["token", *arguments])
    captured = capsys.readouterr()
    assert ended.value.code == 2
    assert problem in captured.err
    assert captured.out == ""


def test_the_help_of_the_server_tells_of_both(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    assert "impasto-server config" in text
    assert "impasto-server token" in text
