"""Versions of bundles as the numbers that the protocol's tools know."""

from __future__ import annotations

import pytest

from impasto_server.rpc.inference.versions import numbered


@pytest.mark.parametrize(
    ("version", "number"),
    [("1", "1"), ("20261127", "20261127"), ("1.2", "1002000000"), ("1.2.3.4", "1002003004"), ("0.0.0.9", "9")],
)
def test_numbers_stay_numbers(version: str, number: str) -> None:
    assert numbered(version) == number


def test_newer_versions_have_larger_numbers() -> None:
    versions = ["0.9", "1.0", "1.0.1", "1.2", "1.10", "2.0"]
    assert sorted(versions, key=lambda version: int(numbered(version))) == versions


@pytest.mark.parametrize("version", ["2024-a", "1.2.3.4.5", "1.1000", "9" * 30, "v1", "1..2"])
def test_any_other_has_a_number_of_its_own_that_stays_the_same(version: str) -> None:
    assert numbered(version) == numbered(version)
    assert 2**48 <= int(numbered(version)) < 2**49
    assert numbered(version) != numbered(f"{version}0")
