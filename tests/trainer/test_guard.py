from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from impasto.errors import TrainingError
from impasto.nn.checkpoint import CHECKPOINT_FILE, Checkpoint
from impasto_trainer.guard import Guard
from impasto_trainer.main import main
from tests.trainer.fitting import arguments


@pytest.mark.parametrize("total", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_is_wrong_at_once(total: float) -> None:
    assert Guard().judge(total, 1.0) == f"the loss is {total}"


@pytest.mark.parametrize("norm", [float("nan"), float("inf"), 1e20])
def test_a_gradient_that_leads_nowhere_is_wrong_only_if_it_stays(norm: float) -> None:
    guard = Guard()
    for _ in range(10):
        assert [guard.judge(1.0, norm) for _ in range(19)] == [None] * 19
        assert guard.judge(1.0, 1.0) is None
    verdicts = [guard.judge(1.0, norm) for _ in range(20)]
    assert verdicts[:-1] == [None] * 19
    assert verdicts[-1] == f"for 20 steps the gradient led nowhere, its norm last {norm:.4g}"
    assert guard.suspicious == 0  # of the loss, so that checkpoints are written all the while
    assert guard.passed_over == 10 * 19 + 20


def test_a_step_along_a_gradient_that_leads_nowhere_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip, norms = torch.nn.utils.clip_grad_norm_, iter([1.0, float("inf"), float("nan")])

    def steep(parameters: list[torch.nn.Parameter], most: float) -> torch.Tensor:
        norm, told = clip(parameters, most), next(norms, None)
        return norm if told is None else torch.tensor(told)

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", steep)
    assert main(arguments(tmp_path, "--steps", "6")) == 0
    checkpoint = Checkpoint.load(tmp_path / "out" / CHECKPOINT_FILE)
    assert checkpoint.training["step"] == 6
    assert checkpoint.training["guard"]["rollbacks"] == 0
    assert checkpoint.training["guard"]["passed_over"] == 2
    assert checkpoint.optimizer["0.step"].item() == 4


def test_a_loss_that_stays_high_is_wrong_and_a_peak_is_not() -> None:
    guard = Guard()
    assert [guard.judge(1.0, 1.0) for _ in range(50)] == [None] * 50
    assert guard.judge(100.0, 1.0) is None
    assert guard.judge(1.0, 1.0) is None
    verdicts = [guard.judge(5.0, 1.0) for _ in range(20)]
    assert verdicts[:-1] == [None] * 19
    assert verdicts[-1] == "for 20 steps the loss was above 4 times its median 1, last 5"


def test_a_loss_that_falls_far_or_doubles_is_fine() -> None:
    guard = Guard()
    assert not any(guard.judge(total, 1.0) for total in [100.0] * 60 + [1.0] * 200 + [2.0] * 60)


def test_every_return_halves_the_rate_until_there_were_too_many() -> None:
    guard = Guard()
    for returns in range(1, 6):
        guard.roll_back("the loss is nan")
        assert guard.rate_factor == 0.5**returns
    with pytest.raises(TrainingError, match=r"diverged again after 5 returns.*the loss is nan.*--learning-rate"):
        guard.roll_back("the loss is nan")


def test_a_guard_goes_on_from_a_checkpoint() -> None:
    first, second = Guard(), Guard()
    for total in [1.0] * 30 + [9.0] * 10:
        first.judge(total, 1.0)
    second.restore(json.loads(json.dumps(first.to_dict())))
    assert [second.judge(9.0, 1.0) is None for _ in range(10)] == [first.judge(9.0, 1.0) is None for _ in range(10)]
    assert second.suspicious == 20


def test_a_step_that_is_not_finite_is_undone_told_and_taken_on_at_half_the_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    judge, totals = Guard.judge, iter([None, None, None, float("nan")])

    def poisoned(self: Guard, total: float, norm: float) -> str | None:
        return judge(self, next(totals, None) or total, norm)

    monkeypatch.setattr(Guard, "judge", poisoned)
    assert main(arguments(tmp_path, "--steps", "6", "--save-every", "2", "--warmup", "0")) == 0
    told = "the loss is nan; back to the last good state, the rate at 0.5 of the recipe's"
    assert f"step 4: {told}" in capfd.readouterr().err
    (line,) = (tmp_path / "out" / "losses.jsonl").read_text().splitlines()
    assert json.loads(line) == {"step": 4, "event": told}
    checkpoint = Checkpoint.load(tmp_path / "out" / CHECKPOINT_FILE)
    assert checkpoint.training["guard"]["rollbacks"] == 1
    assert checkpoint.optimizer["0.step"].item() == 4  # of six steps the third went with the fourth: 2, then 5 and 6
    assert all(torch.isfinite(value).all() for value in checkpoint.weights.values())


def test_a_training_that_keeps_diverging_ends_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Guard, "judge", lambda self, total, norm: "the loss is inf")
    assert main(arguments(tmp_path, "--steps", "20")) == 1
    assert "impasto-train: diverged again after 5 returns" in capfd.readouterr().err
