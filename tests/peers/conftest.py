"""What the tests with clients of others share."""

from __future__ import annotations

import os

import pytest

KSERVE_VARIABLE = "IMPASTO_TEST_KSERVE"


@pytest.fixture(scope="session")
def kserve() -> str:
    """Return a Python in which kserve is installed, or skip the test."""
    python = os.environ.get(KSERVE_VARIABLE)
    if not python:
        pytest.skip(f"{KSERVE_VARIABLE} names no Python in which kserve is installed")
    return python
