"""What the programs in the pods are told is what they understand."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import pytest

from impasto_server.config import Config, ConfigError, load
from impasto_server.life import ending
from impasto_worker import options as worker
from tests.deploy import environments
from tests.deploy.conftest import Render
from tests.deploy.environments import environment
from tests.deploy.rendering import KUBERNETES, Manifest, named, rendered, workloads
from tests.support import free_ports

_BIN = Path(sys.executable).parent


def test_every_variable_is_an_option(manifests: list[Manifest]) -> None:
    assert _unknown_variables(manifests) == []


def test_the_server_accepts_what_it_is_told(manifests: list[Manifest]) -> None:
    for variables in _environments(manifests, "server"):
        config = _config(variables)
        assert config.drain_delay_seconds >= 5
        assert not config.serves_jobs or config.local_workers == []


def test_a_server_paints_with_as_many_threads_as_it_asks_for_cores(manifests: list[Manifest]) -> None:
    for workload in workloads(manifests):
        if workload.component == "server":
            (container,) = workload.containers
            config = _config(environment(manifests, container))
            assert config.engine_threads == environments.cores(container["resources"]["requests"]["cpu"])


def test_the_worker_accepts_what_it_is_told(manifests: list[Manifest]) -> None:
    for variables in _environments(manifests, "worker"):
        assert worker.load([], variables).database.startswith("postgresql://")


def test_there_is_time_to_end(manifests: list[Manifest]) -> None:
    for workload in workloads(manifests):
        for variables in _environments(manifests, workload.component):
            seconds = _seconds_to_end(workload.component, variables)
            assert workload.pod["terminationGracePeriodSeconds"] > seconds


def test_a_gpu_that_is_asked_for_is_one_that_has_to_be_there(manifests: list[Manifest]) -> None:
    for workload in workloads(manifests):
        for container in workload.containers:
            variables = environment(manifests, container)
            asks = "nvidia.com/gpu" in container["resources"]["limits"]
            assert asks == ("cuda" in (variables.get("IMPASTO_PROVIDER"), variables.get("IMPASTO_DEVICE")))
            assert asks == container["image"].endswith(":cuda")


@pytest.mark.parametrize("program", ["impasto-server", "impasto-worker"])
def test_a_probe_finds_its_address_in_the_pods_environment(program: str, render: Render) -> None:
    (variables,) = _environments(render("overlays/cuda"), program.partition("-")[2])
    (port,) = free_ports(1)
    address = variables["IMPASTO_HTTP"].replace("8501", str(port))
    asked = subprocess.run(
        [_BIN / program, "ready"],
        env=os.environ | {"IMPASTO_HTTP": address},
        capture_output=True,
        text=True,
        check=False,
    )
    assert asked.returncode == 1
    assert f"http://0.0.0.0:{port}/readyz cannot be reached: Connection refused" in asked.stdout


def test_a_change_of_the_configuration_rolls_the_pods(tmp_path: Path) -> None:
    for work, working_size in (("one", "1024"), ("other", "1280")):
        (tmp_path / work).mkdir()
        (tmp_path / work / "kustomization.yaml").write_text(
            f"resources: [{os.path.relpath(KUBERNETES / 'base', tmp_path / work)}]\n"
            "configMapGenerator:\n"
            f"- {{name: impasto-server, behavior: merge, literals: [IMPASTO_WORKING_SIZE={working_size}]}}\n"
        )
    one, other = (named(rendered(tmp_path / work), "Deployment", "impasto-server") for work in ("one", "other"))
    assert one["spec"]["template"] != other["spec"]["template"]


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("IMPASTO_INSECURE", "false", "can be reached from other machines"),
        ("IMPASTO_DRAIN_SECONDS", "half a minute", "drain_seconds"),
        ("IMPASTO_TLS_CERT", "/etc/impasto/tls/tls.crt", "without tls_key"),
    ],
)
def test_what_the_server_would_not_accept_is_found(variable: str, value: str, said: str) -> None:
    (variables,) = _environments(rendered(KUBERNETES / "base"), "server")
    with pytest.raises(ConfigError, match=said):
        _config(variables | {variable: value})


def test_a_variable_that_is_no_option_is_found() -> None:
    manifests = rendered(KUBERNETES / "base")
    assert _unknown_variables(manifests) == []
    named(manifests, "ConfigMap", "impasto-server")["data"]["IMPASTO_DRAIN_DELAY"] = "5"
    assert _unknown_variables(manifests) == ["impasto-server: IMPASTO_DRAIN_DELAY"]


def _config(variables: dict[str, str]) -> Config:
    """Return what the server makes of these variables and of no others."""
    return _loaded(tuple(sorted(variables.items())))


@cache  # reading one takes a fifth of a second, and most pods are told the same
def _loaded(variables: Iterable[tuple[str, str]]) -> Config:
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("IMPASTO_")]:
            patch.delenv(name)
        for name, value in variables:
            patch.setenv(name, value)
        return load([])


def _environments(manifests: Sequence[Manifest], component: str) -> list[dict[str, str]]:
    return [
        environment(manifests, container)
        for workload in workloads(manifests)
        if workload.component == component
        for container in workload.containers
    ]


def _seconds_to_end(component: str, variables: dict[str, str]) -> float:
    match component:
        case "server":
            config = _config(variables)
            ours = config.drain_delay_seconds + config.drain_seconds + config.end_seconds
            return ours + ending._LOG_WITHIN + ending._KERNEL_MARGIN
        case "worker":
            return worker.load([], variables).stop_seconds
        case _:
            return 0


def _unknown_variables(manifests: Sequence[Manifest]) -> list[str]:
    return [
        f"{workload.name}: {variable}"
        for workload in workloads(manifests)
        for container in workload.containers
        for variable in environment(manifests, container)
        if variable.startswith("IMPASTO_") and variable not in environments.options(workload)
    ]
