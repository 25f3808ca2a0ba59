"""Fixtures of the tests of what is deployed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.deploy.rendering import KUBERNETES, Manifest, composed, everything, rendered

_ALL = everything()

Render = Callable[[str], list[Manifest]]


@pytest.fixture(scope="session")
def render(tmp_path_factory: pytest.TempPathFactory) -> Render:
    """Return what renders a kustomization, each but once, by its folder's name: a component on the base."""
    done: dict[str, list[Manifest]] = {}

    def render(name: str) -> list[Manifest]:
        if name not in done:
            components = _ALL[name]
            work = tmp_path_factory.mktemp("kustomization")
            done[name] = composed(work, components) if components else rendered(KUBERNETES / name)
        return done[name]

    return render


@pytest.fixture(scope="session", params=_ALL)
def manifests(request: pytest.FixtureRequest, render: Render) -> list[Manifest]:
    """Return what a kustomization comes to, each of those that there are; nobody may change it."""
    return render(request.param)
