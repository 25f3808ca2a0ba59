"""How many threads decode and encode, beside which engine."""

from __future__ import annotations

import pytest

from impasto_server.fast import codec
from impasto_server.fast.codec import threads_beside


@pytest.mark.parametrize(
    ("provider", "cuda", "cores", "expected"),
    [
        ("cpu", True, 16, 2),
        ("openvino", False, 16, 2),
        ("auto", False, 16, 2),
        ("auto", True, 16, 8),
        ("cuda", True, 6, 6),
        ("cuda", True, 1, 2),
    ],
)
def test_a_gpu_leaves_the_cores_to_the_codec(
    monkeypatch: pytest.MonkeyPatch, provider: str, cuda: bool, cores: int, expected: int
) -> None:
    monkeypatch.setattr(codec, "cuda_is_here", lambda: cuda)
    monkeypatch.setattr(codec, "usable_cores", lambda: cores)

    assert threads_beside(provider) == expected
