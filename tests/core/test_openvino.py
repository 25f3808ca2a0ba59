"""OpenVINO's precision is one that no picture suffers from, and its memory is given back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from impasto.bundle import Bundle
from impasto.codes import Codes
from impasto.engine import Cancellation, Provider, available_providers, memory, openvino
from impasto.engine.memory import MOST_KEPT
from impasto.engine.openvino import OpenVinoEngine
from impasto.engine.precision import LEAST_DECIBELS
from impasto.engine.probe import decibels, probe_photo
from impasto.images import Planes
from tests.support import fake_bundle


class Sessions:
    """Stands for the runtime's: returns the photo, in bf16 with an error."""

    def __init__(self, error: float = 0.0, worse: Codes | None = None) -> None:
        self.opened: list[str] = []
        self._error = error
        self._worse = worse

    def open(self, precision: str) -> Any:
        self.opened.append(precision)
        sessions = self

        class Session:
            def run(self, images: Planes, codes: Codes, cancellation: Cancellation | None = None) -> Planes:
                if precision == "fp32" or (
                    sessions._worse is not None and not np.array_equal(codes[0], sessions._worse)
                ):
                    return images
                return images + np.float32(sessions._error)

        return Session()


def engine(
    monkeypatch: pytest.MonkeyPatch, bundle: Bundle, sessions: Sessions, capabilities: str = "BF16 FP32"
) -> OpenVinoEngine:
    monkeypatch.setattr(openvino, "_capabilities", lambda: capabilities)
    monkeypatch.setattr(OpenVinoEngine, "_session_in", lambda _, precision: sessions.open(precision))
    return OpenVinoEngine(bundle, threads=1)


def error_of(decibels: float) -> float:
    """Return the difference in every pixel that comes to this PSNR."""
    return float(10 ** (-decibels / 20))


def test_bfloat16_is_used_where_the_processor_has_it_and_every_style_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = Sessions(error_of(LEAST_DECIBELS + 1))
    assert engine(monkeypatch, fake_bundle(tmp_path / "b"), sessions).precision == "bf16"
    assert sessions.opened[-1] == "bf16"


def test_a_bundle_that_suffers_in_one_style_computes_in_fp32_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bundle = fake_bundle(tmp_path / "b", "ink", "gold")
    code = bundle.code("gold").copy()
    code[0] = 7
    changed = Bundle(**{**bundle.__dict__, "codes": {**bundle.codes, "gold": code}})
    sessions = Sessions(error_of(LEAST_DECIBELS - 1), worse=code)
    assert engine(monkeypatch, changed, sessions).precision == "fp32"
    assert sessions.opened[-1] == "fp32"
    assert "bfloat16 keeps 44.0 dB of the style gold" in caplog.text


def test_a_processor_without_bfloat16_computes_in_fp32_and_tries_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = Sessions()
    assert engine(monkeypatch, fake_bundle(tmp_path / "b"), sessions, "FP32 INT8").precision == "fp32"
    assert sessions.opened == ["fp32"]


def test_the_session_is_opened_anew_when_the_process_has_grown_too_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = 10**9
    monkeypatch.setattr(memory, "resident_bytes", lambda: held)
    sessions = Sessions()
    painter = engine(monkeypatch, fake_bundle(tmp_path / "b"), sessions, "FP32")

    def opened_after(bytes_held: int) -> int:
        nonlocal held
        held = bytes_held
        painter.run(np.zeros((1, 3, 16, 16), np.float32), np.zeros((1, 10), np.float32))
        return len(sessions.opened)

    assert opened_after(10**9 + MOST_KEPT) == 1
    assert opened_after(10**9 + MOST_KEPT + 1) == 2
    assert opened_after(10**9 + 2 * MOST_KEPT) == 2  # counted from what was held then
    assert opened_after(10**9) == 2
    assert opened_after(10**9 + MOST_KEPT + 1) == 3  # and from the least that was held since


def test_pictures_that_are_the_same_are_infinitely_near() -> None:
    photo = probe_photo(8)
    assert photo.shape == (1, 3, 256, 256)
    assert decibels(photo, photo) == float("inf")
    assert decibels(photo, photo + np.float32(0.1)) == pytest.approx(20, abs=0.01)


def test_the_probe_photo_suits_any_size_multiple() -> None:
    assert probe_photo(100).shape == (1, 3, 200, 200)


_HELD_BY_A_RUN = 2**28  # bytes that a run may leave to the process for a while, which Python and malloc keep
_PAINTS_LARGE_PICTURES = """
import numpy as np
from impasto.bundle import STARTER, load_bundle
from impasto.engine.openvino import OpenVinoEngine
from impasto.machine import resident_bytes

bundle = load_bundle(STARTER)
painter = OpenVinoEngine(bundle, threads=0)
code = bundle.code("starry-night")[None]
painter.run(np.zeros((1, 3, 64, 64), np.float32), code)
before = resident_bytes()
for side in (2048, 1920, 2304):
    painter.run(np.zeros((1, 3, side, side), np.float32), code)
    print(resident_bytes() - before)
"""


@pytest.mark.skipif(
    Provider.OPENVINO not in available_providers(), reason="OpenVINO finds no processor of its kind here"
)
def test_after_large_pictures_the_memory_is_given_back() -> None:
    # In a process of its own: beside other tests, what they leave behind and give back would be counted too.
    done = subprocess.run([sys.executable, "-c", _PAINTS_LARGE_PICTURES], capture_output=True, text=True, check=True)
    grown = [int(line) for line in done.stdout.split()]
    assert len(grown) == 3
    assert max(grown) < MOST_KEPT + _HELD_BY_A_RUN
