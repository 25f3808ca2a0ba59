"""What a training writes down of its way."""

from __future__ import annotations

import json
from pathlib import Path

from impasto_trainer.training import TERMS, Progress


class LossLog:
    """Appends one JSON object a line: the terms' means over the steps since the last line."""

    def __init__(self, path: Path, every: int) -> None:
        self.path = path
        self.every = every
        self.pending: list[Progress] = []

    def add(self, progress: Progress) -> None:
        self.pending.append(progress)
        if len(self.pending) < self.every:
            return
        names = (*TERMS, "total", "waited")
        means = {name: round(sum(getattr(p, name) for p in self.pending) / len(self.pending), 6) for name in names}
        line = {"step": progress.step, **means, "rate": progress.rate, "unreadable": progress.unreadable}
        self.pending.clear()  # first, so that a line that cannot be written is lost rather than tried at every step
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
