"""Where options come from, and what a bad one says."""

from __future__ import annotations

from pathlib import Path

import pytest

from impasto.bundle import STARTER
from impasto_server.config import Address, Config, ConfigError, load
from impasto_server.config import jobs as job_options


def test_an_option_wins_over_the_environment_over_the_file_over_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "impasto.toml"
    file.write_text("working_size = 100\ncodec_threads = 3\nengine_runs = 4\n")
    monkeypatch.setenv("IMPASTO_WORKING_SIZE", "200")
    monkeypatch.setenv("IMPASTO_CODEC_THREADS", "5")
    config = load(["--config", str(file), "--working-size", "300"])
    assert (config.working_size, config.codec_threads, config.engine_runs) == (300, 5, 4)
    assert config.max_working_size == Config().max_working_size


def test_the_file_can_be_named_in_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "impasto.toml"
    file.write_text('bundles = ["a", "b"]\n')
    monkeypatch.setenv("IMPASTO_CONFIG", str(file))
    assert load([]).bundle_sources == ("a", "b")


def test_bundles_can_be_given_one_by_one_or_together(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(["--bundle", "a", "--bundle", "b"]).bundle_sources == ("a", "b")
    monkeypatch.setenv("IMPASTO_BUNDLES", "c,d")
    assert load([]).bundle_sources == ("c", "d")


def test_a_bundle_can_be_a_url() -> None:
    assert load(["--bundle", "s3://bucket/mine,b"]).bundle_sources == ("s3://bucket/mine", "b")


def test_without_bundles_it_is_the_starter_unless_there_is_a_store() -> None:
    assert load([]).bundle_sources == (str(STARTER),)
    assert load(["--bundle-store", "s3://bucket/bundles"]).bundle_sources == ()


def test_copies_of_bundles_are_kept_where_the_state_is(tmp_path: Path) -> None:
    assert load(["--state-dir", str(tmp_path)]).bundle_cache_folder == tmp_path / "bundles"
    assert load(["--bundle-cache", str(tmp_path)]).bundle_cache_folder == tmp_path


def test_a_configuration_made_in_code_ignores_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMPASTO_WORKING_SIZE", "200")
    assert Config().working_size == Config.model_fields["working_size"].default


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--working-size", "5"], r"working_size: '5' is not allowed \(from the command line\).* 16"),
        (["--working-size", "wide"], "working_size: 'wide' .*valid integer"),
        (["--max-working-size", "64"], "max_working_size: '64' .*at least working_size, which is 1280"),
        (["--provider", "abacus"], "provider: 'abacus' .*'auto', 'cuda', 'openvino' or 'cpu'"),
        (["--listen", "8500"], "listen: '8500' .*host:port"),
        (["--listen", "localhost:99999"], "listen: .*65535"),
        (["--drain-seconds", "nan"], "drain_seconds: 'nan' .*finite"),
        (["--workers", "-2"], "workers: '-2' .*-1"),
        (["--worker-memory", "lots"], "worker_memory: 'lots' .*such as 4GB"),
        (["--worker-memory", "0GB"], "worker_memory: '0GB' .*such as 4GB"),
        (["--worker-memory", "0.1"], "worker_memory: '0.1' .*such as 4GB"),
        (["--worker-devices", "cuda:0,gpu"], "worker_devices: 'cuda:0,gpu' .*auto, cpu, cuda or cuda:N"),
        (
            ["--workers", "3", "--worker-devices", "cuda:0,cuda:1"],
            r"worker_devices: .* as many as workers, which is 3; or leave workers out",
        ),
        (["--job-keep-seconds", "inf"], "job_keep_seconds: 'inf'"),
        (["--jobs", "maybe"], "jobs: 'maybe' .*'auto', 'on' or 'off'"),
        (["--config", "nowhere.toml"], "config: nowhere.toml is no file"),
    ],
)
def test_a_bad_value_names_the_key_the_value_and_what_is_allowed(arguments: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(arguments)


def test_a_bad_value_names_where_it_comes_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "impasto.toml"
    file.write_text("engine_runs = 0\n")
    with pytest.raises(ConfigError, match=r"engine_runs: 0 is not allowed \(from .*impasto.toml\)"):
        load(["--config", str(file)])
    monkeypatch.setenv("IMPASTO_ENGINE_RUNS", "-1")
    with pytest.raises(ConfigError, match=r"engine_runs: '-1' is not allowed \(from the environment\)"):
        load(["--config", str(file)])


def test_a_key_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "impasto.toml"
    file.write_text("workin_size = 100\n")
    with pytest.raises(ConfigError, match=r"workin_size: there is no such option.*working_size"):
        load(["--config", str(file)])


def test_a_file_that_is_no_toml_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "impasto.toml"
    file.write_text("working_size: 100\n")
    with pytest.raises(ConfigError, match="is no TOML"):
        load(["--config", str(file)])


def test_help_shows_every_option_with_its_default(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        load(["--help"])
    text = capsys.readouterr().out
    assert ended.value.code == 0
    assert all(f"--{key.replace('_', '-')}" in text for key in Config.model_fields)
    assert "(default: 127.0.0.1:8500)" in text


@pytest.mark.parametrize(
    ("torch", "arguments", "serves", "workers"),
    [
        (True, [], True, 1),
        (False, [], False, 0),
        (True, ["--database", "postgresql://there/jobs"], True, 0),
        (False, ["--database", "postgresql://there/jobs"], True, 0),
        (True, ["--database", "postgresql://there/jobs", "--workers", "2"], True, 2),
        (True, ["--workers", "0"], True, 0),
        (False, ["--jobs", "on"], True, 0),
        (True, ["--jobs", "off"], False, 1),
    ],
)
def test_jobs_are_served_where_a_worker_can_run_or_a_database_is_named(
    monkeypatch: pytest.MonkeyPatch, torch: bool, arguments: list[str], serves: bool, workers: int
) -> None:
    monkeypatch.setattr(job_options, "find_spec", lambda name: object() if torch and name == "torch" else None)
    config = load(arguments)
    assert (config.serves_jobs, list(config.local_workers)) == (serves, [None] * workers)


@pytest.mark.parametrize("workers", [[], ["--workers", "2"]], ids=["alone", "counted"])
@pytest.mark.parametrize(
    "given",
    [["--worker-devices", "cuda:0,cuda:1"], ["--worker-devices", "cuda:0", "--worker-devices", "cuda:1"]],
    ids=["together", "one by one"],
)
def test_a_worker_runs_on_each_device_that_is_named(given: list[str], workers: list[str]) -> None:
    config = load(["--database", "postgresql://there/jobs", *workers, *given])
    assert list(config.local_workers) == ["cuda:0", "cuda:1"]


def test_devices_can_be_named_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMPASTO_WORKER_DEVICES", "cuda:0,cpu")
    assert list(load([]).local_workers) == ["cuda:0", "cpu"]


def test_jobs_are_kept_in_the_users_state_unless_told_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    config = load([])
    assert (config.database_url, config.blobs_url) == (
        f"sqlite:///{tmp_path}/impasto/jobs.sqlite",
        f"{tmp_path}/impasto/blobs",
    )
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert load([]).blobs_url == f"{tmp_path}/home/.local/state/impasto/blobs"
    assert load(["--state-dir", "~/here"]).blobs_url == f"{tmp_path}/home/here/blobs"
    assert load(["--blobs", "s3://bucket/jobs", "--database", "sqlite:////db"]).blobs_url == "s3://bucket/jobs"


def test_a_password_does_not_show_when_a_configuration_does() -> None:
    assert "secret" not in repr(Config(database="postgresql://me:secret@there/jobs", blobs="s3://key:secret@bucket"))


@pytest.mark.parametrize("text", ["127.0.0.1:8500", "localhost:0", "[::1]:8500"])
def test_an_address_reads_what_it_writes(text: str) -> None:
    assert str(Address.parse(text)) == text
