"""Node, for tests that need it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.node.runtime import BUILT, NODE, WHY_NOT, Node, node


@pytest.fixture(scope="module")
def js() -> Iterator[Node]:
    """Return a process of Node's, or skip the test where the client is not built."""
    if not (NODE and BUILT.exists()):
        pytest.skip(WHY_NOT)
    with node() as running:
        yield running
