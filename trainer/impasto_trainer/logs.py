"""What a training writes down of its way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from impasto import images
from impasto.errors import MissingDependency
from impasto.nn.checkpoint import write_atomically
from impasto_trainer.objective import TERMS
from impasto_trainer.training import Progress

_MEANS = (*TERMS, "total", "style_weight", "waited")


class LossLog:
    """Appends one JSON object a line: the terms' means over the steps since the last line, and what happened.

    Attributes:
        path: the file.
        every: steps a line.
    """

    def __init__(self, path: Path, every: int) -> None:
        self.path = path
        self.every = every
        self._count = 0
        self._sums = dict.fromkeys(_MEANS, 0.0)

    def begin(self, step: int, pending: dict[str, Any]) -> None:
        """Go on behind a step: lines of later steps are dropped, since these are taken again.

        Args:
            step: how many steps are done.
            pending: what `pending` was after that step; empty at the first.

        Raises:
            CheckpointError: the file must be rewritten and cannot be.
        """
        if pending:
            self._count, self._sums = int(pending["count"]), dict(pending["sums"])
        if not self.path.exists():
            return
        lines = self.path.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [line for line in lines if _step_of(line) <= step]
        if kept != lines:
            write_atomically(self.path, "".join(kept).encode())

    def pending(self) -> dict[str, Any]:
        """Return the sums that the next line will be made from, JSON-ready."""
        return {"count": self._count, "sums": dict(self._sums)}

    def add(self, progress: Progress) -> dict[str, Any] | None:
        """Take note of a step, and return the line if one has become due; it is then written."""
        self._count += 1
        for name in _MEANS:
            self._sums[name] += getattr(progress, name)
        if progress.step % self.every:
            return None
        means = {name: round(value / self._count, 6) for name, value in self._sums.items()}
        # First, so that a line that cannot be written is lost rather than tried at every step.
        self._count, self._sums = 0, dict.fromkeys(_MEANS, 0.0)
        counts = {"unreadable": progress.unreadable, "passed_over": progress.passed_over}
        line = {"step": progress.step, **means, "rate": progress.rate, **counts}
        self._append(line)
        return line

    def event(self, step: int, text: str) -> None:
        """Write down that something happened at a step."""
        self._append({"step": step, "event": text})

    def _append(self, line: dict[str, Any]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


class Board:
    """Shows nothing: stands in where no TensorBoard is asked for."""

    def line(self, line: dict[str, Any]) -> None:
        """Show the means of a line of the loss log."""

    def event(self, step: int, text: str) -> None:
        """Show that something happened."""

    def sheet(self, step: int, sheet: images.Pixels) -> None:
        """Show a sheet [H, W, 3]."""

    def close(self) -> None:
        """Write what is still to be written."""


class TensorBoard(Board):
    """Shows losses, rate, events and sheets in TensorBoard.

    Args:
        folder: where its files go.
        step: how many steps are done; what an earlier training showed of later ones is hidden.

    Raises:
        MissingDependency: the package is absent.
    """

    def __init__(self, folder: Path, step: int) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingDependency("tensorboard", "tensorboard") from error
        self._writer = SummaryWriter(str(folder), purge_step=step + 1)

    def line(self, line: dict[str, Any]) -> None:
        for name, value in line.items():
            if name != "step":
                self._writer.add_scalar(name, value, line["step"])

    def event(self, step: int, text: str) -> None:
        self._writer.add_text("event", text, step)

    def sheet(self, step: int, sheet: images.Pixels) -> None:
        self._writer.add_image("sheet", np.asarray(sheet), step, dataformats="HWC")

    def close(self) -> None:
        self._writer.close()


def _step_of(line: str) -> float:
    """Return which step a line is of; infinity for one that a kill cut short."""
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return float("inf")
