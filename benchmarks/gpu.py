"""Everything that needs a GPU, in one call: train the styles, time engine, server and optimiser, run the CUDA tests.

    python -m benchmarks.gpu --photos DIR --painting FILE... --out DIR [--minutes 8] [--vgg-weights FILE]

Training goes on from what an earlier call left in --out and ends after --minutes or at the recipe's last step,
whichever comes first; `starter.safetensors` in --out is its checkpoint without the optimiser's state, small enough to
carry away and export. Runs on a CPU as well, to see that it works. docs/gpu.md has the last figures.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import IO

import numpy as np
import torch

from benchmarks.gpu_engine import BATCHES, CLIENTS, SIZES, engine_table, ms, served_table, trials_table
from impasto.bundle import STARTER
from impasto.images import resize
from impasto.machine import machine, table
from impasto.nn.checkpoint import CHECKPOINT_FILE, Checkpoint
from impasto.nn.optimize import optimize, perception_for
from impasto.optimization import Optimization


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    print(f"{device}; {machine()}; torch {torch.__version__}\n", flush=True)
    if options.photos:
        print(train(options), flush=True)
    for name in options.parts:
        print(PARTS[name](options), flush=True)


def train(options: argparse.Namespace) -> str:
    """Train for a while, leave a checkpoint to export, and return what was reached."""
    options.out.mkdir(parents=True, exist_ok=True)
    checkpoint = options.out / CHECKPOINT_FILE
    command = [sys.executable, "-m", "impasto_trainer.main", "fit", "--photos", options.photos, "--out", options.out]
    command += ["--painting", *options.painting, *options.recipe]
    begin = ["--from", options.start] if options.start else []
    command += ["--resume"] if checkpoint.exists() else begin
    command += ["--vgg-weights", options.vgg_weights] if options.vgg_weights else []
    with (options.out / "training.log").open("ab") as log:
        _run_for(60 * options.minutes, list(map(str, command)), log)
    reached = Checkpoint.load(checkpoint)
    replace(reached, optimizer={}).save(options.out / "starter.safetensors")
    step, seconds = reached.training["step"], reached.training["seconds"]
    return f"trained {', '.join(reached.styles)}: step {step}, {1e3 * seconds / step:.1f} ms a step\n"


def optimizer_table(options: argparse.Namespace) -> str:
    """Return how long a picture takes that is optimised; on a CPU a few steps, to see that it works."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    steps = Optimization().steps if device.type == "cuda" else 3
    rng = np.random.default_rng(0)
    pictures = [resize(rng.integers(0, 256, (48, 48, 3)).astype(np.uint8), 1024, 1024) for _ in range(2)]
    rows = []
    for name in ("vgg19", "lowrank") if options.vgg_weights else ("lowrank",):
        asked = Optimization(perception=name, steps=steps)
        eye = perception_for(asked, options.vgg_weights if name == "vgg19" else None, device=device)
        for size in options.sizes:
            paint = partial(optimize, pictures[0], [(pictures[1], 1.0)], asked, perception=eye, working_size=size)
            paint()  # the first at a size sets up more than it paints
            seconds = ms(paint) / 1e3
            rows.append((name, size, steps, f"{seconds:.2f}"))
    return table((f"optimiser on {device.type}", "px", "steps", "s"), rows) + "\n"


def cuda_tests(_: argparse.Namespace) -> str:
    """Run the tests that need a GPU, and return how they ended."""
    if find_spec("pytest") is None:
        return "CUDA tests: pytest is not installed\n"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "tests/test_gpu.py"],
        capture_output=True,
        text=True,
        check=False,
    )
    failures = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR", "SKIPPED"))]
    return "\n".join(["CUDA tests:", *failures, done.stdout.strip().splitlines()[-1], ""])


PARTS: dict[str, Callable[[argparse.Namespace], str]] = {
    "tests": cuda_tests,
    "engine": engine_table,
    "trials": trials_table,
    "served": served_table,
    "optimiser": optimizer_table,
}


def _run_for(seconds: float, command: Sequence[str], log: IO[bytes]) -> None:
    """Run a training, and have it save and stop when the time is up."""
    with subprocess.Popen(command, stdout=log, stderr=log) as process:
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        process.terminate()
    if process.returncode not in (0, 128 + signal.SIGTERM, -signal.SIGTERM):  # the last: before its first step
        raise subprocess.CalledProcessError(process.returncode, command)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path, metavar="DIR", help="photos to train on; without it nothing is trained")
    parser.add_argument("--painting", type=Path, nargs="+", default=[], metavar="FILE", help="one style each")
    parser.add_argument("--out", type=Path, default=Path("gpu"), metavar="DIR", help="[%(default)s]")
    parser.add_argument("--from", dest="start", metavar="START", help="what a first call begins with, as fit's --from")
    parser.add_argument("--minutes", type=float, default=8, help="of training in this call [%(default)s]")
    parser.add_argument("--vgg-weights", type=Path, metavar="FILE", help="VGG-19, safetensors")
    parser.add_argument("--recipe", nargs=argparse.REMAINDER, default=[], help="the rest goes to impasto-train fit")
    parser.add_argument(
        "--parts", nargs="+", choices=PARTS, default=[*PARTS], help="what to do after the training [all of them]"
    )
    parser.add_argument("--bundle", type=Path, default=STARTER, metavar="DIR", help="to time [the starter]")
    parser.add_argument("--runs", type=int, default=20, help="that count, each [%(default)s]")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, metavar="PX", help="of pictures [256 512 1024]")
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES, metavar="N", help="[1 2 4 8 16 32]")
    parser.add_argument(
        "--clients", type=int, nargs="+", default=CLIENTS, metavar="N", help="of the server [1 8 32 64]"
    )
    parser.add_argument("--seconds", type=float, default=5, help="under each load on the server [%(default)s]")
    return parser


if __name__ == "__main__":
    main()
