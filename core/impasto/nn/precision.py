"""In which precision networks are trained, and pictures optimised, on a device."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch


def pays(device: torch.device) -> bool:
    """Tell whether a device is faster in bfloat16.

    A CPU gains by it if it multiplies tiles of it (AMX); where it has only AVX-512's dot products it takes longer than
    in fp32.
    """
    return device.type == "cuda" or (device.type == "cpu" and torch.cpu._is_amx_tile_supported())


def mixed_precision(device: torch.device) -> AbstractContextManager[None]:
    """Return the context for a forward pass: autocast to bfloat16 where the device is faster in it, else nothing.

    bfloat16 keeps the range of VGG-19's activations (up to 18,000 in the original weights); losses stay fp32.
    """
    return torch.autocast(device.type, torch.bfloat16) if pays(device) else nullcontext()
