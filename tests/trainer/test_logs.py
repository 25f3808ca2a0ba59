from __future__ import annotations

import sys
from pathlib import Path

import pytest

from impasto_trainer.main import main
from tests.trainer.fitting import arguments


def test_losses_and_sheets_are_shown_in_tensorboard(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    given = ["--steps", "50", "--batch", "1", "--sheet-every", "50", "--tensorboard"]
    assert main(arguments(tmp_path, *given)) == 0
    shown = EventAccumulator(str(tmp_path / "out" / "tensorboard"))
    shown.Reload()
    assert {"content", "style", "total", "rate"} <= set(shown.Tags()["scalars"])
    assert [scalar.step for scalar in shown.Scalars("total")] == [50]
    assert [image.step for image in shown.Images("sheet")] == [50]


def test_without_tensorboard_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    assert main(arguments(tmp_path, "--steps", "1", "--tensorboard")) == 1
    assert "tensorboard is not installed; run: pip install 'impasto[tensorboard]'" in capsys.readouterr().err
