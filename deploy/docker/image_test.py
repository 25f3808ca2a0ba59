"""What the image of the target `cpu` promises, asked of the image: `make image-test` builds it and runs this.

By pytest, but not with the other tests: it takes minutes, and buildah and podman.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from signal import SIGTERM
from urllib.request import urlopen
from uuid import uuid4

import numpy as np
import pytest
import s3fs

from deploy.docker.building import base_image, build
from deploy.docker.containers import STATE, Container, outcome, podman, provide, running, until, working_flags
from impasto import images
from impasto.bundle import STARTER
from impasto_client import Client, Painting
from tests.conftest import postgres, s3, s3_server
from tests.credentials import Authority
from tests.postgres import Postgres
from tests.support import free_ports

pytestmark = pytest.mark.timeout(1800)
__all__ = ["postgres", "s3", "s3_server"]  # fixtures

IMAGE = f"localhost/impasto-test-{uuid4().hex[:8]}:cpu"
LARGEST = 520e6  # bytes; docs/images.md says what takes them
LONG_SIDE = 2560  # px, which takes seconds to paint
STYLE = "starry-night"
HEIC = Path(__file__).parents[2] / "tests" / "core" / "fixtures" / "waves.heic"
NOT_THERE = ("cc", "gcc", "ld", "make", "pip", "pip3", "curl", "wget", "git", "ssh", "gpg", "nc")
S3_VARIABLES = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION")


@dataclass(frozen=True)
class Served:
    """A container whose server listens on loopback, with the folder of its state."""

    container: Container
    grpc: int
    http: int
    state: Path

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.grpc}"

    def page(self, path: str) -> str:
        with urlopen(f"http://127.0.0.1:{self.http}{path}", timeout=30) as page:
            return str(page.read().decode())


@contextmanager
def serving(
    flags: Sequence[str], folder: Path, environment: dict[str, str] | None = None, *, files: Path | None = None
) -> Iterator[Served]:
    """Run the image on free ports of loopback, which is safe in plain text, until the block ends."""
    grpc, http = free_ports(2)
    state = folder / "state"
    state.mkdir()
    addresses = {"IMPASTO_LISTEN": f"127.0.0.1:{grpc}", "IMPASTO_HTTP": f"127.0.0.1:{http}"}
    name = f"impasto-test-{uuid4().hex[:8]}"
    with running(IMAGE, flags, name, addresses | (environment or {}), state=state, files=files) as container:
        yield Served(container, grpc, http, state)


def photo(times: int = 1) -> bytes:
    """Return a photograph, 512 px a side, or one made of several beside and above each other. scikit-image has it."""
    spec = find_spec("skimage")
    assert spec
    assert spec.origin
    data = (Path(spec.origin).parent / "data" / "astronaut.png").read_bytes()
    return data if times == 1 else images.encode(np.tile(images.decode(data), (times, times, 1)))


def catches_sigterm(container: Container) -> bool:
    """Return whether its first process has a handler for that; Linux lets it ignore the signal otherwise."""
    _, status = container.execute("cat", "/proc/1/status")
    caught = next((line for line in status.splitlines() if line.startswith("SigCgt:")), "SigCgt: 0")
    return bool(int(caught.split()[1], 16) >> (SIGTERM - 1) & 1)


def image_size() -> int:
    return int(podman("image", "inspect", "--format={{.Size}}", IMAGE).stdout)


@pytest.fixture(scope="module")
def flags() -> Iterator[tuple[str, ...]]:
    """Build the image, and return what its containers need on this machine; remove it at the end."""
    provide("buildah", "podman", "runc")
    base = base_image()
    build("cpu", base, IMAGE)
    try:
        found = working_flags(IMAGE)
        print(f"\nBuilt on {base}: {image_size() / 1e6:.0f} MB. Run with {' '.join(found)}")
        yield found
    finally:
        podman("rmi", "--force", IMAGE)


@pytest.fixture(scope="module")
def served(flags: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Return a container that is ready."""
    with serving(flags, tmp_path_factory.mktemp("served")) as one:
        one.container.wait_for("ready")
        yield one


def test_a_client_has_a_photo_painted(served: Served) -> None:
    with Client(served.target, timeout=60) as client:
        painted = images.decode(client.stylize(photo(), STYLE).image)
    before = images.decode(photo())
    assert painted.shape == before.shape
    assert np.abs(painted.astype(int) - before).mean() > 10  # of 255


def test_a_phones_photo_is_painted(served: Served) -> None:
    """The process that decodes HEIC has what it needs in the image, under its limits."""
    with Client(served.target, timeout=60) as client:
        painted = images.decode(client.stylize(HEIC.read_bytes(), STYLE).image)
    assert painted.shape == (512, 512, 3)


def test_the_engine_is_the_one_that_the_processor_allows(served: Served) -> None:
    """What was taken out of the image is nothing that OpenVINO needs."""
    intel = "GenuineIntel" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    assert served.container.wait_for("engine opened")["provider"] == ("openvino" if intel else "cpu")


def test_it_is_measured_and_healthy(served: Served) -> None:
    assert 'impasto_requests_total{code="OK",method="/impasto.v1.Stylizer/Stylize"} 2.0' in served.page("/metrics")
    assert served.container.is_healthy()
    assert served.container.execute("impasto-server", "ready") == (0, "ok")
    status, why = served.container.execute("impasto-server", "ready", "127.0.0.1:1")
    assert (status, why) == (1, "http://127.0.0.1:1/readyz cannot be reached: Connection refused")


def test_it_runs_as_a_user_without_rights_on_a_root_that_nobody_can_write(served: Served) -> None:
    assert served.container.execute("id", "-u") == (0, "65532")
    assert served.container.execute("id", "-g") == (0, "65532")
    rights = dict(line.split(":\t") for line in served.container.execute("cat", "/proc/1/status")[1].splitlines())
    assert {rights[f"Cap{kind}"] for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {"0" * 16}
    for place in ("/", "/opt/impasto", "/etc", "/usr/bin", "/run", "/var/tmp"):
        status, why = served.container.execute("touch", f"{place}/mine")
        assert status == 1, place
        assert "Read-only file system" in why
    for place in ("/tmp", STATE):
        assert served.container.execute("touch", f"{place}/mine") == (0, "")
        assert served.container.execute("rm", f"{place}/mine") == (0, "")


def test_serving_trained_styles_writes_no_file_at_all(served: Served) -> None:
    assert served.container.execute("find", "/tmp", STATE, "-type", "f") == (0, "")


def test_nothing_that_builds_installs_or_fetches_is_in_it(served: Served) -> None:
    for name in NOT_THERE:
        assert served.container.execute("sh", "-c", f"command -v {name}")[0] != 0, name
    for name in ("pip", "ensurepip", "setuptools", "torch", "pytest"):
        status, why = served.container.execute("python3", "-c", f"import {name}")
        assert status == 1
        assert "ModuleNotFoundError" in why, name


def test_nothing_in_it_makes_its_user_another(served: Served) -> None:
    assert served.container.execute("find", "/usr", "/opt", "-type", "f", "-perm", "/6000") == (0, "")


def test_every_module_was_compiled_when_it_was_built(served: Served) -> None:
    """Or each start would compile it anew, since nothing can be written."""
    script = """
import importlib.util, pathlib, sysconfig
places = [pathlib.Path(sysconfig.get_path(name)) for name in ("stdlib", "platlib")]
sources = [path for place in places for path in place.rglob("*.py") if "lib2to3" not in path.parts]
missing = [str(path) for path in sources if not pathlib.Path(importlib.util.cache_from_source(path)).exists()]
print(len(sources) > 2000, len(missing), *missing[:5])"""
    assert served.container.execute("python3", "-c", script) == (0, "True 0")


@pytest.mark.usefixtures("flags")
def test_it_is_no_larger_than_the_docs_say() -> None:
    assert image_size() < LARGEST


def test_its_stores_may_be_on_other_machines(
    flags: tuple[str, ...], tmp_path: Path, s3: str, postgres: Postgres
) -> None:
    """Bundle and pictures on S3, jobs in PostgreSQL, gRPC by TLS: what a cluster asks of the image."""
    files = tmp_path / "files"
    files.mkdir()
    authority = Authority(files)
    pair = authority.issue("server")
    s3fs.S3FileSystem(skip_instance_cache=True).put(str(STARTER), f"{s3}/bundles/starter/1", recursive=True)
    environment = {name: os.environ[name] for name in S3_VARIABLES} | {
        "IMPASTO_TLS_CERT": str(pair.cert),
        "IMPASTO_TLS_KEY": str(pair.key),
        "IMPASTO_BUNDLE_STORE": f"{s3}/bundles",
        "IMPASTO_DATABASE": postgres.new_database(),
        "IMPASTO_BLOBS": f"{s3}/jobs",
    }
    with serving(flags, tmp_path, environment, files=files) as one:
        one.container.wait_for("ready")
        with Client(one.target, ca=authority.file, timeout=60) as client:
            assert client.stylize(photo(), STYLE).image
            job = client.create_job(photo(), Painting(photo()))
            assert client.job(job.name).state == job.state
        assert one.container.is_healthy()
        written = {path.relative_to(one.state).parts[0] for path in one.state.rglob("*") if path.is_file()}
        assert written == {"bundles"}
        assert one.container.stop(60) == 0


def test_a_stop_lets_what_is_being_painted_finish(flags: tuple[str, ...], tmp_path: Path) -> None:
    large = photo(times=LONG_SIDE // 512)
    with serving(flags, tmp_path) as one, ThreadPoolExecutor(1) as caller, Client(one.target, timeout=120) as client:
        one.container.wait_for("ready")
        painting = caller.submit(client.stylize, large, STYLE, working_size=LONG_SIDE)
        until(lambda: "impasto_requests_in_flight 1.0" in one.page("/metrics") or None, "a photo in the works")
        assert one.container.stop(60) == 0
        assert images.decode(painting.result().image).shape == (LONG_SIDE, LONG_SIDE, 3)
        (shutting_down,) = (line for line in one.container.log() if line["event"] == "shutting down")
        assert shutting_down["in_flight"] == 1
        assert one.container.events()[-1] == "stopped"


def test_a_stop_is_obeyed_before_the_program_is_there(flags: tuple[str, ...], tmp_path: Path) -> None:
    with serving(flags, tmp_path) as one:
        until(lambda: catches_sigterm(one.container) or None, "Python to have started")
        assert one.container.stop(60) in (0, 143)  # 137 is that it had to be killed


def test_a_configuration_that_cannot_serve_ends_the_start_with_one_line(flags: tuple[str, ...]) -> None:
    status, errors = outcome(IMAGE, flags, {})
    (line,) = errors.splitlines()
    assert status == 2
    assert line.startswith("impasto-server: listen: 0.0.0.0:8500 can be reached from other machines, and gRPC on it ")

    here = {"IMPASTO_LISTEN": "127.0.0.1:0", "IMPASTO_HTTP": "127.0.0.1:0"}
    status, errors = outcome(IMAGE, flags, here, "--tls-cert", "/nowhere/tls.crt", "--tls-key", "/nowhere/tls.key")
    assert status == 1
    assert "/nowhere/tls" in errors.splitlines()[-1]

    status, errors = outcome(IMAGE, flags, here, "--bundle", "s3://bucket/wave")  # with no folder for its copy
    assert status == 1
    assert f"{STATE}/bundles cannot be written to: Read-only file system" in errors.splitlines()[-1]


def test_a_bundle_that_cannot_be_reached_is_waited_for_and_its_name_told(
    flags: tuple[str, ...], tmp_path: Path
) -> None:
    with serving(flags, tmp_path, {"IMPASTO_BUNDLES": "http://127.0.0.1:1/wave"}) as one:
        line = one.container.wait_for("bundle away")
        assert (line["level"], line["source"]) == ("warning", "http://127.0.0.1:1/wave")
        status, why = one.container.execute("impasto-server", "ready")
        assert status == 1
        assert "waiting for a bundle: http://127.0.0.1:1/wave" in why
        assert not one.container.is_healthy()
        assert one.container.stop(60) == 0


def test_other_programs_than_the_server_are_in_it(flags: tuple[str, ...]) -> None:
    status, text = outcome(IMAGE, flags, {}, "--entrypoint=impasto", "--help")
    assert status == 0
    assert text.startswith("usage: impasto")
    modules = "opentelemetry.sdk.trace, opentelemetry.exporter.otlp.proto.grpc.trace_exporter, fsspec, tqdm"
    assert outcome(IMAGE, flags, {}, "--entrypoint=python3", "-c", f"import {modules}") == (0, "")
