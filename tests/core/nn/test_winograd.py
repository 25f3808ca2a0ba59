"""Winograd's convolutions do what the direct ones do."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from impasto.nn.winograd import WinogradConv2d, pays


@pytest.mark.parametrize("size", [(16, 16), (37, 50), (1, 1), (5, 90)])
@pytest.mark.parametrize("count", [1, 2])
def test_values_and_gradients_are_the_direct_convolutions(size: tuple[int, int], count: int) -> None:
    torch.manual_seed(0)
    direct = nn.Conv2d(24, 40, 3, padding=1).requires_grad_(False)
    x = torch.rand(count, 24, *size, requires_grad=True)
    slope = torch.rand(count, 40, *size)

    expected, got = direct(x), WinogradConv2d(direct)(x)

    assert torch.allclose(got, expected, atol=1e-5 * expected.abs().max().item())
    (expected_gradient,) = torch.autograd.grad(expected, x, slope)
    (gradient,) = torch.autograd.grad(got, x, slope)
    assert torch.allclose(gradient, expected_gradient, atol=1e-5 * expected_gradient.abs().max().item())


def test_it_pays_for_wide_3_by_3_convolutions_in_fp32_alone() -> None:
    assert pays(nn.Conv2d(128, 256, 3, padding=1))
    assert not pays(nn.Conv2d(64, 256, 3, padding=1))
    assert not pays(nn.Conv2d(256, 256, 1))
    assert not pays(nn.Conv2d(256, 256, 3, padding=1).bfloat16())


def test_under_autocast_it_is_the_direct_convolution_in_bfloat16() -> None:
    torch.manual_seed(0)
    direct = nn.Conv2d(24, 40, 3, padding=1).requires_grad_(False)
    x = torch.rand(1, 24, 16, 20)

    with torch.autocast("cpu", torch.bfloat16):
        got = WinogradConv2d(direct)(x)

    assert got.dtype == torch.bfloat16
    assert torch.allclose(got.float(), direct(x), atol=0.02)
