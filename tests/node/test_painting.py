"""The Node client against the program `impasto-server` and the bundle that comes with it: nothing is faked."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import numpy as np
import pytest

from impasto import images
from impasto.images import Format
from impasto.optimization import Optimization
from impasto_server.local import LocalServer
from impasto_worker.slow import stirred
from tests.client.readmes import painting_server, run_in, shown, write_files
from tests.node.runtime import NODE, PACKAGE, Node, Thrown
from tests.support import gradient

MAX_MESSAGE = 300_000  # bytes

PHOTO = images.encode(gradient(97, 61), format=Format.PNG)


@pytest.fixture(scope="module")
def server(js: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """Serve, and run a worker whose painter needs no torch."""
    with painting_server(tmp_path_factory.mktemp("server"), "--max-message-bytes", str(MAX_MESSAGE)) as running:
        yield running


def test_a_photo_is_painted(js: Node, server: LocalServer) -> None:
    code = """
    const client = connect(target);
    const painted = await client.stylize(photo, 'starry-night', { workingSize: 64, width: 50, format: 'webp' });
    const blended = await client.stylize(photo, { 'starry-night': 2, 'the-scream': 1 }, { workingSize: 64 });
    const same = await client.stylize(photo, 'starry-night', { strength: 0, format: 'png' });
    return [painted, blended.image, same.image];
    """
    painted, blended, same = js.run(code, target=server.target, photo=PHOTO)

    assert (painted["format"], painted["width"], painted["height"]) == ("webp", 50, 31)
    assert painted["workingSize"] == {"width": 64, "height": 40}
    assert images.decode(painted["image"]).shape == (31, 50, 3)
    assert images.decode(blended).shape == (61, 97, 3)
    assert (images.decode(same) == gradient(97, 61)).all()


def test_a_mask_keeps_what_is_black(js: Node, server: LocalServer) -> None:
    code = """
    const options = { workingSize: 64, format: 'png', mask: { image: mask, feather: 0 } };
    const client = connect(target);
    const wrong = await client.stylize(photo, 'starry-night', { mask: photo }).catch(told);
    return [(await client.stylize(photo, 'starry-night', options)).image, wrong];
    """
    kept = np.zeros((61, 97, 3), np.uint8)
    kept[:, 60:] = 255

    image, wrong = js.run(code, target=server.target, photo=PHOTO, mask=images.encode(kept, format=Format.PNG))

    changed = (images.decode(image) != gradient(97, 61)).any(axis=2)
    assert not changed[:, :58].any()
    assert changed[:, 62:].mean() > 0.5
    assert (wrong["name"], wrong["code"]) == ("InvalidRequest", "INVALID_ARGUMENT")


def test_the_styles_are_listed_and_told_of(js: Node, server: LocalServer) -> None:
    code = """
    const client = connect(target);
    const styles = await client.styles();
    return [styles.map(({ id }) => id), await client.style(styles[0].id)];
    """
    ids, style = js.run(code, target=server.target)

    assert len(ids) == 16
    assert ids == sorted(ids)
    assert images.decode(style["thumbnail"]).ndim == 3
    assert style["modelCard"].startswith("#")


@pytest.mark.parametrize("ordered", [True, False])
def test_many_photos_go_over_one_stream(js: Node, server: LocalServer, ordered: bool) -> None:
    code = """
    async function* photos() {
      for (let number = 0; number < 60; number += 1) yield { id: `n${number}`, image: number === 30 ? bad : photo };
    }
    const ids = [];
    const errors = [];
    const options = { ordered, window: 6, workingSize: 64 };
    for await (const { id, stylized, error } of connect(target).stylizeStream(photos(), 'great-wave', options)) {
      ids.push(id);
      if (error) errors.push([id, error.reason, error.field]);
      else if (stylized.width !== 97) throw new Error('another photo');
    }
    return [ids, errors];
    """
    ids, errors = js.run(code, target=server.target, photo=PHOTO, bad=b"Dear Sir or Madam", ordered=ordered)

    expected = [f"n{number}" for number in range(60)]
    assert (ids if ordered else sorted(ids, key=lambda name: int(name[1:]))) == expected
    assert errors == [["n30", "UNREADABLE_IMAGE", "image"]]


@pytest.mark.parametrize(
    ("call", "name", "message"),
    [
        (
            "stylize(photo, 'stary-night')",
            "StyleUnknown",
            "style: no style 'stary-night'; did you mean",
        ),
        ("style('nobody')", "StyleUnknown", "style: no style 'nobody'"),
        ("stylize(Buffer.from('Dear Sir'), 'udnie')", "InvalidRequest", "image: starts with b'Dear Sir'"),
        ("stylize(photo.subarray(0, photo.length / 2), 'udnie')", "InvalidRequest", "image: is a damaged picture"),
        ("stylize(photo, { udnie: 0 })", "InvalidRequest", "blend.parts: all weights are 0"),
        ("stylize(Buffer.alloc(400_000, 1), 'udnie')", "MessageTooLarge", "photo: a message is over the limit"),
        ("stylize(photo, 'udnie', { width: 2_000_000_000 })", "InvalidRequest", "output_size.width: 2000000000x"),
    ],
)
def test_what_the_server_refuses_is_told(js: Node, server: LocalServer, call: str, name: str, message: str) -> None:
    with pytest.raises(Thrown) as raised:
        js.run(f"await connect(target).{call}", target=server.target, photo=PHOTO)

    assert raised.value.error["name"] == name
    assert raised.value.error["message"].startswith(message)


def test_the_back_end_of_the_example_paints_what_is_uploaded(server: LocalServer, tmp_path: Path) -> None:
    command = [NODE or "node", str(PACKAGE / "examples" / "backend.mjs"), "--server", server.target, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            address = process.stdout.readline().split()[-1]
            with urlopen(Request(f"{address}/paint?style=udnie", data=PHOTO)) as answer:
                painted, kind = answer.read(), answer.headers["content-type"]
            with pytest.raises(HTTPError) as refused:
                urlopen(Request(f"{address}/paint?style=nobody", data=PHOTO))
            with pytest.raises(HTTPError) as addressless:
                urlopen(f"{address}//")
            with urlopen(f"{address}/styles") as answer:
                styles = answer.read().decode()
        finally:
            process.terminate()

    assert images.decode(painted).shape == (61, 97, 3)
    assert kind == "image/jpeg"
    assert refused.value.code == 404
    refused.value.close()
    assert (addressless.value.code, addressless.value.read()[:18]) == (400, b"path: // is none; ")
    addressless.value.close()
    assert "starter/udnie" in styles


def test_a_job_is_painted_watched_and_cancelled(js: Node, server: LocalServer) -> None:
    code = """
    const client = connect(target);
    const painting = new impasto.Painting(paintings);
    const job = await client.createJob(photo, painting, { format: 'png', optimization: { steps: 20 } });
    let previews = 0;
    for await (const { preview } of job.watch({ previewInterval: 200 })) previews += preview.length > 0;
    const made = await job.result();
    const long = await client.createJob(photo, painting, { optimization: { steps: 10000 } });
    for await (const { job } of long.watch()) if (job.state === 'running') await job.cancel();
    return [previews > 0, made.image, (await long.refresh()).state];
    """
    photo = gradient(96, 64)
    given = {"photo": images.encode(photo, format=Format.PNG), "paintings": images.encode(gradient(40, 30))}

    previews, image, ended = js.run(code, target=server.target, **given)

    assert previews
    assert (images.decode(image) == stirred(photo, Optimization(steps=20))).all()
    assert ended == "cancelled"


def test_the_code_of_the_readme_runs(server: LocalServer, tmp_path: Path) -> None:
    write_files(tmp_path)
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules" / "impasto-client").symlink_to(PACKAGE)
    program = shown(PACKAGE / "README.md", "js").replace("127.0.0.1:8500", server.target)
    (tmp_path / "program.mjs").write_text(program)

    output = run_in(tmp_path, NODE or "node", "program.mjs")

    assert "starter/starry-night The Starry Night Vincent van Gogh" in output
    assert "there are composition-vii, " in output
    for name in ("painted.jpg", "painted-two.jpg", "painted-by-a-job.jpg"):
        assert images.decode((tmp_path / name).read_bytes()).ndim == 3
