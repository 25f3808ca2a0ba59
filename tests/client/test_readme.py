"""The code of the Python client's README."""

from __future__ import annotations

import sys
from pathlib import Path

from impasto import images
from impasto_client import video
from tests.client.readmes import painting_server, run_in, shown, write_files
from tests.support import gradient

README = Path(__file__).parents[2] / "clients" / "python" / "README.md"


def test_the_code_of_the_readme_runs(tmp_path: Path) -> None:
    write_files(tmp_path)
    video.write(tmp_path / "holiday.mp4", [images.encode(gradient(96, 64))] * 3, 25)

    with painting_server(tmp_path) as server:
        program = shown(README, "python").replace("127.0.0.1:8500", server.target)
        output = run_in(tmp_path, sys.executable, "-W", "error", "-c", program)

    assert "starter/starry-night The Starry Night Vincent van Gogh" in output
    assert "3 frames" in output
    assert "there are composition-vii, " in output
    for name in ("painted.jpg", "painted-two.jpg", "painted-by-a-job.jpg"):
        assert images.decode((tmp_path / name).read_bytes()).ndim == 3
