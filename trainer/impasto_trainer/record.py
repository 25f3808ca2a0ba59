"""What is shown and kept of a training: the bar, the losses, sheets and checkpoints."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from tqdm import tqdm

from impasto import images
from impasto.errors import CheckpointError
from impasto.nn.checkpoint import CHECKPOINT_FILE, remove_drafts
from impasto.sheets import contact_sheet
from impasto_trainer.logs import Board, LossLog, TensorBoard
from impasto_trainer.training import Progress, Training

SHEET_SIDE = 512  # px, long side of a validation photo
_LOG_EVERY = 50  # steps


class NoRecord:
    """Keeps nothing: for the processes of a training that leave it to the first."""

    def step(self, progress: Progress) -> None:
        """Show and keep what a step tells."""

    def save(self) -> None:
        """Write a checkpoint.

        Raises:
            CheckpointError: it could not be written; an earlier one is untouched.
        """

    def close(self) -> None:
        """Leave the screen and the files in order."""


class Record(NoRecord):
    """Keeps all in one folder.

    Args:
        training: what is going on.
        out: the folder.
        validation: photos for the sheets, [H, W, 3] each.
        save_every: steps a checkpoint.
        sheet_every: steps a sheet.
        tensorboard: whether to show it in TensorBoard too.

    Raises:
        MissingDependency: TensorBoard is asked for and absent.
        CheckpointError: the losses of an earlier training cannot be brought in line with its checkpoint.
    """

    def __init__(
        self,
        training: Training,
        out: Path,
        validation: list[images.Pixels],
        *,
        save_every: int,
        sheet_every: int,
        tensorboard: bool,
    ) -> None:
        self.training = training
        self.out = out
        self.validation = validation
        self.save_every = save_every
        self.sheet_every = sheet_every
        remove_drafts(out / CHECKPOINT_FILE)
        self.board = TensorBoard(out / "tensorboard", training.step) if tensorboard else Board()
        self.log = LossLog(out / "losses.jsonl", _LOG_EVERY)
        self.log.begin(training.step, training.pending)
        self.bar = tqdm(total=training.recipe.steps, initial=training.step, unit="step", dynamic_ncols=True)

    def step(self, progress: Progress) -> None:
        if progress.wrong:
            self._tell_of_return(progress)
        else:
            with _going_on():
                self._show(progress)
        self.bar.update()
        if progress.step % self.save_every == 0 and not self.training.guard.suspicious:
            with _going_on():
                self.save()
        if progress.step % self.sheet_every == 0 or progress.step == self.training.recipe.steps:
            with _going_on():
                self._sheet(progress.step)

    def save(self) -> None:
        self.training.checkpoint(self.log.pending()).save(self.out / CHECKPOINT_FILE)

    def close(self) -> None:
        self.bar.close()
        self.board.close()

    def _show(self, progress: Progress) -> None:
        self.bar.set_postfix(
            content=f"{progress.content:.3f}",
            style=f"{progress.style:.3f}",
            tv=f"{progress.tv:.4f}",
            skipped=progress.unreadable,
            refresh=False,
        )
        line = self.log.add(progress)
        if line:
            self.board.line(line)

    def _tell_of_return(self, progress: Progress) -> None:
        factor = self.training.guard.rate_factor
        text = f"{progress.wrong}; back to the last good state, the rate at {factor:g} of the recipe's"
        tqdm.write(f"step {progress.step}: {text}", file=sys.stderr)
        with _going_on():
            self.log.event(progress.step, text)
            self.board.event(progress.step, text)

    def _sheet(self, step: int) -> None:
        """Paint the validation photos in every style."""
        rows = []
        for photo in self.validation:
            planes = torch.from_numpy(images.to_planes(photo))
            painted = [self.training.paint(planes, index) for index in range(len(self.training.paintings))]
            rows.append([photo, *(images.to_pixels(picture.numpy()) for picture in painted)])
        labels = ["photo", *(painting.style for painting in self.training.paintings)]
        sheet = contact_sheet(rows, labels, cell=SHEET_SIDE)
        (self.out / f"sheet-{step:06d}.png").write_bytes(images.encode(sheet, format=images.Format.PNG))
        self.board.sheet(step, sheet)


@contextmanager
def _going_on() -> Iterator[None]:
    """Tell of a file that cannot be written, as on a full disk, and go on: the training is worth more than the file."""
    try:
        yield
    except (CheckpointError, OSError) as error:
        tqdm.write(f"warning: {error}; training goes on", file=sys.stderr)
