"""The Indexed Job: what its pods would run is run, with the environment that they would have."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from impasto_client.bulk import status
from tests.client.bulk.processes import bulk, ended
from tests.client.bulk.support import pictures, put
from tests.deploy.rendering import KUBERNETES, named, rendered

VARIABLE = re.compile(r"\$\((\w+)\)")


@pytest.fixture(scope="module")
def manifests() -> list[dict[str, Any]]:
    return rendered(KUBERNETES / "bulk")


@pytest.fixture(scope="module")
def job(manifests: list[dict[str, Any]]) -> dict[str, Any]:
    spec: dict[str, Any] = named(manifests, "Job", "impasto-bulk")["spec"]
    return spec


@pytest.fixture(scope="module")
def settings(manifests: list[dict[str, Any]], job: dict[str, Any]) -> dict[str, str]:
    """Return what a pod has in its environment of the ConfigMap."""
    settings = named(manifests, "ConfigMap", "impasto-bulk")
    referred = [source["configMapRef"]["name"] for source in container(job)["envFrom"] if "configMapRef" in source]
    assert referred == [settings["metadata"]["name"]]
    data: dict[str, str] = settings["data"]
    return data


def container(job: dict[str, Any]) -> dict[str, Any]:
    (one,) = job["template"]["spec"]["containers"]
    found: dict[str, Any] = one
    return found


def test_the_number_of_shards_is_said_once(job: dict[str, Any], settings: dict[str, str]) -> None:
    count = int(settings["IMPASTO_SHARDS"])
    assert (job["completionMode"], job["completions"], job["parallelism"]) == ("Indexed", count, count)


def test_its_pods_together_paint_everything(
    job: dict[str, Any], settings: dict[str, str], target: str, tmp_path: Path
) -> None:
    photos, out = put(tmp_path / "photos", *(f"{number}.jpg" for number in range(12))), tmp_path / "out"
    edited = settings | {
        "IMPASTO_BULK_IN": str(photos),
        "IMPASTO_BULK_OUT": str(out),
        "IMPASTO_BULK_STYLE": "ink",
        "IMPASTO_SERVER": f"ipv4:{target}",
        "IMPASTO_SHARDS": "2",
    }
    arguments = [VARIABLE.sub(lambda found: edited[found[1]], argument) for argument in container(job)["args"]]
    assert container(job)["command"] == ["impasto"]

    for index in range(2):
        with bulk(*arguments, **edited, JOB_COMPLETION_INDEX=str(index)) as process:
            code, _, errors = ended(process)
            assert (code, errors) == (0, "")

    assert pictures(out) == pictures(photos)
    assert [shard.state for shard in status(str(out)).shards] == ["done", "done"]


def test_a_wrong_argument_fails_a_shard_at_once_and_a_stop_is_no_failure(
    job: dict[str, Any], settings: dict[str, str], target: str, tmp_path: Path
) -> None:
    with bulk("bulk", tmp_path / "missing", tmp_path / "out", "--style", "ink", "--server", target) as process:
        code, _, _ = ended(process)
    rules = job["podFailurePolicy"]["rules"]
    actions = {value: rule["action"] for rule in rules for value in rule.get("onExitCodes", {}).get("values", [])}

    assert actions[code] == "FailIndex"
    assert actions == {2: "FailIndex", 4: "FailIndex", 143: "Ignore"}
    assert (rules[0]["action"], rules[0]["onPodConditions"][0]["type"]) == ("Ignore", "DisruptionTarget")


def test_a_stop_has_the_time_that_it_needs(job: dict[str, Any]) -> None:
    from impasto_client.bulk import DEFAULT_STOP_SECONDS

    assert job["template"]["spec"]["terminationGracePeriodSeconds"] > 3 * DEFAULT_STOP_SECONDS
