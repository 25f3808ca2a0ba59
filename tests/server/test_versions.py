"""Which version of a bundle is the newer one."""

from __future__ import annotations

import pytest

from impasto_server.bundles.versions import is_newer, oldest_first


@pytest.mark.parametrize(
    ("version", "than", "newer"),
    [
        ("2", "1", True),
        ("10", "9", True),
        ("1.10", "1.9", True),
        ("1.9", "1.10", False),
        ("1.0.1", "1.0", True),
        ("1", "1", False),
        ("2024-05", "2024-04", True),  # no numbers: what appears later is newer
        ("a", "b", True),
        ("1", "b", True),
        ("1.", "2", True),
        ("²", "3", True),
    ],
)
def test_numbers_are_compared_part_by_part_and_anything_else_by_its_appearance(
    version: str, than: str, newer: bool
) -> None:
    assert is_newer(version, than) is newer


@pytest.mark.parametrize(
    ("versions", "sorted_versions"),
    [
        (["10", "9", "1.5"], ["1.5", "9", "10"]),
        (["beta", "10", "9"], ["beta", "10", "9"]),
        ([], []),
    ],
)
def test_versions_are_sorted_as_numbers_if_all_of_them_are(versions: list[str], sorted_versions: list[str]) -> None:
    assert oldest_first(versions, str) == sorted_versions
