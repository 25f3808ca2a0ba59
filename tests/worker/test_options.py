"""The worker's options, from the command line and the environment."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from impasto_worker.options import Options, load

STORE = ("--database", "sqlite:///jobs.sqlite", "--blobs", "blobs")


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str, **environment: str) -> str:
    """Return what is said of options that are refused."""
    with pytest.raises(SystemExit) as error:
        load(arguments, environment)
    assert error.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


def test_a_store_is_all_that_has_to_be_given() -> None:
    options = load(STORE, {})
    assert (options.database, options.blobs) == (STORE[1], STORE[3])
    assert options == Options(database=STORE[1], blobs=STORE[3])


def test_the_environment_gives_what_the_command_line_does_not() -> None:
    environment = {
        "IMPASTO_DATABASE": "postgresql://user:secret@host/db",
        "IMPASTO_BLOBS": "s3://bucket",
        "IMPASTO_VGG_WEIGHTS": "/weights",
        "IMPASTO_MEMORY": "4GB",
        "IMPASTO_LEASE_SECONDS": "3",
        "IMPASTO_LOG_FORMAT": "",
    }
    options = load(["--lease-seconds", "5"], environment)
    assert options.database == environment["IMPASTO_DATABASE"]
    assert options.vgg_weights == Path("/weights")
    assert (options.memory, options.lease_seconds, options.log_format) == (4_000_000_000, 5.0, "json")


@pytest.mark.parametrize(
    ("text", "address"), [("127.0.0.1:0", ("127.0.0.1", 0)), ("[::1]:8501", ("::1", 8501)), ("db:1", ("db", 1))]
)
def test_http_is_off_until_an_address_is_given(text: str, address: tuple[str, int]) -> None:
    assert load(STORE, {}).http is None
    assert load([*STORE, "--http", text], {}).http == load(STORE, {"IMPASTO_HTTP": text}).http == address


@pytest.mark.parametrize("text", ["8501", ":8501", "host:", "host:65536", "host:x"])
def test_an_address_that_is_none_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert f"'{text}' is no address; give host:port" in refusal(capsys, *STORE, "--http", text)


@pytest.mark.parametrize(
    ("text", "size"),
    [("4GB", 4 * 1000**3), ("512MiB", 512 * 1024**2), ("1.5g", 1_500_000_000), ("2 TB", 2 * 1000**4), ("1000", 1000)],
)
def test_memory_is_given_in_any_unit(text: str, size: int) -> None:
    assert load([*STORE, "--memory", text], {}).memory == size


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "the following arguments are required: --database, --blobs"),
        ([*STORE, "--memory", "much"], "'much' is no amount of memory; give one such as 4GB"),
        ([*STORE, "--memory", "0GB"], "'0GB' is nothing"),
        ([*STORE, "--memory", "-1"], "'-1' is no amount of memory"),
        ([*STORE, "--lease-seconds", "0"], "'0' is no time; give seconds, more than 0"),
        ([*STORE, "--stop-seconds", "nan"], "'nan' is no time"),
        ([*STORE, "--preview-seconds", "soon"], "'soon' is no time"),
        ([*STORE, "--max-pixels", "3"], "'3' is not allowed"),
        ([*STORE, "--log-level", "loud"], "'loud' is unknown; give debug, info, warning, error"),
        ([*STORE, "--blobs", ""], "is empty"),
        ([*STORE, "--unknown"], "unrecognized arguments: --unknown"),
    ],
    ids=lambda value: " ".join(value[len(STORE) :]) or "none" if isinstance(value, list) else "",
)
def test_a_bad_option_is_named_with_what_is_allowed(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert said in refusal(capsys, *arguments)


def test_a_bad_value_in_the_environment_is_named_as_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--memory: 'much' is no amount" in refusal(capsys, *STORE, IMPASTO_MEMORY="much")


def test_names_that_nobody_gave_differ() -> None:
    assert load(STORE, {}).unique_name != load(STORE, {}).unique_name
    assert load([*STORE, "--name", "easel"], {}).unique_name == "easel"


def test_the_help_explains_every_option_and_its_variable(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        load(["--help"], {})
    text = re.sub(r"\s+", " ", capsys.readouterr().out)
    for item in fields(Options):
        assert f"--{item.name.replace('_', '-')}" in text
        assert not item.metadata or f"(${'IMPASTO_' + item.name.upper()})" in text
    assert "SIGTERM" in text
    assert "[15]" in text
