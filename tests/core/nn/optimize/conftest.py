from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _full_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paint in fp32 on every machine; see `test_rough` for the other."""
    monkeypatch.setattr("torch.cpu._is_amx_tile_supported", lambda: False)
