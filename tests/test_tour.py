"""The tour: the notebook runs from its first cell to its last, and what is committed of it is small."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
import pytest
from nbclient import NotebookClient
from traitlets.config import Config

TOUR = Path(__file__).parents[1] / "docs" / "tour.ipynb"
MOST_BYTES = 300 * 1024
PATIENCE = 300  # s, that a cell may take


async def test_the_tour_runs_from_the_first_call_to_a_new_style(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # other tests run beside it
    notebook = nbformat.read(TOUR, as_version=4)  # type: ignore[no-untyped-call]
    committed = [cell.source for cell in notebook.cells]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []

    with TemporaryDirectory(prefix="tour-") as sockets:  # a path that is short, as those of sockets have to be
        by_socket = Config({"KernelManager": {"transport": "ipc", "ip": f"{sockets}/kernel"}})
        place = {"metadata": {"path": TOUR.parent}}
        await NotebookClient(notebook, timeout=PATIENCE, config=by_socket, resources=place).async_execute()

    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    pictures = [output for output in outputs if output.output_type == "display_data"]
    printed = "".join(output.text for output in outputs if output.output_type == "stream" and output.name == "stdout")
    assert len(pictures) >= 8
    assert "succeeded after 30 steps" in printed
    assert "broken.jpg - " in printed
    assert "mine: tissue, painted by the transformer of starter" in printed
    assert [cell.source for cell in notebook.cells] == committed


def test_the_tour_was_committed_small_and_without_traces_of_a_machine() -> None:
    assert TOUR.stat().st_size < MOST_BYTES
    text = TOUR.read_text(encoding="utf-8")
    assert "Traceback" not in text
    assert "/tmp/" not in text
    assert "/home/" not in text
