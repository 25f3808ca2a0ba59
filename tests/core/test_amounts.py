"""Amounts of memory, as servers and workers both read them."""

from __future__ import annotations

import pytest

from impasto.amounts import byte_count


@pytest.mark.parametrize(
    ("text", "size"),
    [("4GB", 4 * 10**9), ("512MiB", 512 * 2**20), ("1.5g", 1_500_000_000), (" 2 TiB ", 2 * 2**40), ("4096", 4096)],
)
def test_an_amount_has_any_unit(text: str, size: int) -> None:
    assert byte_count(text) == size


@pytest.mark.parametrize("text", ["", "much", "-1", "4GBB", "1e9", "nan", "\u0664GB", "9" * 400, "4 0GB"])
def test_anything_else_is_no_amount(text: str) -> None:
    with pytest.raises(ValueError, match="is no amount of memory"):
        byte_count(text)


@pytest.mark.parametrize("text", ["0", "0GB", "0.1", "0.0009K"])
def test_less_than_a_byte_is_nothing(text: str) -> None:
    with pytest.raises(ValueError, match="is nothing"):
        byte_count(text)
