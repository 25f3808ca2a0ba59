from __future__ import annotations

import signal
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from impasto.errors import InvalidInput
from impasto.nn.checkpoint import CHECKPOINT_FILE, Checkpoint
from impasto.nn.transformer import TransformerNet
from impasto_trainer.main import main
from impasto_trainer.ranks import Ranks
from tests.trainer.fitting import arguments, process, read_until

TORCHRUN = ("torch.distributed.run", "--standalone", "--nproc-per-node", "2")

KEEPING_ALL_WEIGHTS = """
import sys
from safetensors.torch import save_file
from impasto.nn.transformer import TransformerNet
from impasto_trainer.main import main
from impasto_trainer.training import Training

def run(self, *arguments):
    train(self, *arguments)
    weights = {name: value.contiguous() for name, value in self.objective.network.state_dict().items()}
    save_file(weights, f"{sys.argv[-1]}/{self.ranks.rank}.safetensors")

train, Training.run = Training.run, run
sys.exit(main())
"""


def test_the_processes_share_a_batch_out() -> None:
    shares = [list(range(6))[Ranks(rank, 3).share(6)] for rank in range(3)]
    assert shares == [[0, 1], [2, 3], [4, 5]]
    with pytest.raises(InvalidInput, match="batch: 4 photos cannot be shared by 3 processes"):
        Ranks(0, 3).share(4)


def test_two_processes_learn_what_one_does_and_hold_the_same_weights(tmp_path: Path) -> None:
    given = arguments(tmp_path, "--steps", "6", "--batch", "4", "--warmup", "0", "--stability-weight", "0")
    program = tmp_path / "program.py"
    program.write_text(KEEPING_ALL_WEIGHTS)
    with process([*given, "--out", f"{tmp_path}/two"], *TORCHRUN, program=program) as training:
        _, errors = training.communicate()
    assert training.returncode == 0, errors.decode()
    first, second = (load_file(tmp_path / "two" / f"{rank}.safetensors") for rank in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)

    assert main(given) == 0
    one, two = (Checkpoint.load(tmp_path / out / CHECKPOINT_FILE) for out in ("out", "two"))
    assert two.training["step"] == one.training["step"] == 6
    torch.manual_seed(0)
    began = TransformerNet(one.architecture).state_dict()
    moved, apart = (
        sum((other[name] - value).square().sum() for name, value in one.weights.items())
        for other in (began, two.weights)
    )
    assert apart < 0.05 * moved  # bfloat16 rounds otherwise in batches of another size


def test_a_signal_stops_all_processes_after_the_same_step(tmp_path: Path) -> None:
    given = arguments(tmp_path, "--steps", "1000000", "--save-every", "1000000")
    with process(given, *TORCHRUN) as training:
        read_until(rb" [1-9]\d*/1000000 ", training)
        training.send_signal(signal.SIGTERM)
        training.communicate(timeout=60)
    assert Checkpoint.load(tmp_path / "out" / CHECKPOINT_FILE).training["step"] >= 1
