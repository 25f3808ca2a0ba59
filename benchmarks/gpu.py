"""Everything that needs a GPU, in one call: train the styles, time engine and optimiser, run the CUDA tests.

    python -m benchmarks.gpu --photos DIR --painting FILE... --out DIR [--minutes 8] [--vgg-weights FILE]

Training goes on from what an earlier call left in --out and ends after --minutes or at the recipe's last step,
whichever comes first; `starter.safetensors` in --out is its checkpoint without the optimiser's state, small enough to
carry away and export. Runs on a CPU as well, to see that it works. docs/gpu.md has the last figures.
"""

from __future__ import annotations

import argparse
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import IO

import numpy as np
import torch

from impasto.bundle import STARTER, load_bundle
from impasto.engine import Engine, available_providers, open_engine
from impasto.images import resize
from impasto.machine import machine, table
from impasto.nn.checkpoint import CHECKPOINT_FILE, Checkpoint
from impasto.nn.optimize import optimize, perception_for
from impasto.optimization import Optimization

SIZES = (256, 512, 1024)  # px, both sides
BATCHES = (1, 4, 8)
WARM_UP = 3  # runs that do not count


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    print(f"{device}; {machine()}; torch {torch.__version__}\n", flush=True)
    if options.photos:
        print(train(options), flush=True)
    print(engine_table(options.bundle, options.runs), flush=True)
    print(optimizer_table(options.vgg_weights), flush=True)
    print(cuda_tests(), flush=True)


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


def engine_table(path: Path, runs: int) -> str:
    """Return latency and throughput of every provider that there is."""
    bundle = load_bundle(path)
    rows = []
    for provider in available_providers():
        engine = open_engine(bundle, provider=provider)
        for size in SIZES:
            for batch in BATCHES:
                ms = _median_ms(engine, batch, size, next(iter(bundle.codes.values())), runs)
                rows.append((provider.value, size, batch, f"{ms:.1f}", f"{1e3 * batch / ms:.1f}"))
    return table(("provider", "px", "batch", "ms a run", "pictures/s"), rows) + "\n"


def optimizer_table(weights: Path | None) -> str:
    """Return how long a picture takes that is optimised; on a CPU a few steps, to see that it works."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    steps = Optimization().steps if device.type == "cuda" else 3
    rng = np.random.default_rng(0)
    pictures = [resize(rng.integers(0, 256, (48, 48, 3)).astype(np.uint8), 1024, 1024) for _ in range(2)]
    rows = []
    for name in ("vgg19", "lowrank") if weights else ("lowrank",):
        asked = Optimization(perception=name, steps=steps)
        eye = perception_for(asked, weights if name == "vgg19" else None, device=device)
        for size in SIZES:
            paint = partial(optimize, pictures[0], [(pictures[1], 1.0)], asked, perception=eye, working_size=size)
            paint()  # the first at a size sets up more than it paints
            seconds = _ms(paint) / 1e3
            rows.append((name, size, steps, f"{seconds:.2f}"))
    return table((f"optimiser on {device.type}", "px", "steps", "s"), rows) + "\n"


def cuda_tests() -> str:
    """Run the tests that need a GPU, and return how they ended."""
    if find_spec("pytest") is None:
        return "CUDA tests: pytest is not installed"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "tests"], capture_output=True, text=True, check=False
    )
    return f"CUDA tests: {done.stdout.strip().splitlines()[-1]}"


def _run_for(seconds: float, command: Sequence[str], log: IO[bytes]) -> None:
    """Run a training, and have it save and stop when the time is up."""
    with subprocess.Popen(command, stdout=log, stderr=log) as process:
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        process.terminate()
    if process.returncode not in (0, 128 + signal.SIGTERM, -signal.SIGTERM):  # the last: before its first step
        raise subprocess.CalledProcessError(process.returncode, command)


def _median_ms(engine: Engine, batch: int, size: int, code: np.ndarray, runs: int) -> float:
    photos = np.random.default_rng(0).random((batch, 3, size, size), dtype=np.float32)
    codes = np.repeat(code[None], batch, axis=0)
    times = [_ms(lambda: engine.run(photos, codes)) for _ in range(WARM_UP + runs)]
    return statistics.median(times[WARM_UP:])


def _ms(run: Callable[[], object]) -> float:
    begun = time.perf_counter()
    run()
    return 1e3 * (time.perf_counter() - begun)


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
    parser.add_argument("--bundle", type=Path, default=STARTER, metavar="DIR", help="to time [the starter]")
    parser.add_argument("--runs", type=int, default=20, help="that count, each [%(default)s]")
    return parser


if __name__ == "__main__":
    main()
