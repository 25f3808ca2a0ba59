"""Weights in 8 bits are nearly what they were, at half the size of fp16."""

from __future__ import annotations

import torch

from impasto.nn.eight_bits import pack, unpack


def test_each_filter_is_kept_to_half_a_step_of_its_own_scale() -> None:
    torch.manual_seed(0)
    filters = torch.randn(5, 3, 3, 3) * torch.tensor([1e-3, 1.0, 50.0, 1.0, 0.0])[:, None, None, None]

    kept = unpack(pack({"filters": filters}))["filters"]

    step = filters.flatten(1).abs().amax(1) / 127
    assert ((kept - filters).flatten(1).abs().amax(1) <= 0.5001 * step).all()


def test_a_bias_keeps_eleven_bits() -> None:
    bias = torch.linspace(-3, 3, 7)

    assert torch.allclose(unpack(pack({"bias": bias}))["bias"], bias, rtol=1e-3)


def test_what_is_packed_takes_a_quarter_of_the_bytes() -> None:
    packed = pack({"filters": torch.randn(64, 64, 3, 3)})

    assert sum(value.numel() * value.element_size() for value in packed.values()) < 0.26 * 64 * 64 * 9 * 4


def test_what_is_not_in_8_bits_is_taken_as_it_is() -> None:
    half = {"weight": torch.ones(2, 2).half()}

    assert unpack(half)["weight"].dtype == torch.float32
