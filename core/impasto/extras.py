"""The distribution's extras: which are installed here, and the command that installs one."""

from __future__ import annotations

import json
import platform
import re
import shlex
import sys
from importlib.metadata import PackageNotFoundError, distribution, requires
from urllib.parse import unquote, urlsplit

DISTRIBUTION = "impasto"

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_EXTRA = re.compile(r"extra == ['\"]([^'\"]+)['\"]")


def is_installed(name: str) -> bool:
    """Tell whether a distribution is."""
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


def missing(extra: str) -> list[str]:
    """Return the distributions that an extra would bring, and that are not there."""
    return [name for name in needs(extra) if not is_installed(name)]


def needs(extra: str) -> list[str]:
    """Return the distributions that an extra brings on this machine; none where Impasto itself is not installed."""
    try:
        every = requires(DISTRIBUTION) or []
    except PackageNotFoundError:
        return []
    return [str(_NAME.findall(line)[0]) for line in every if _EXTRA.findall(line) == [extra] and _is_for_here(line)]


def install(extra: str, *, instead_of: str = "") -> str:
    """Return the command that installs an extra into this Python, from where Impasto itself came.

    Args:
        extra: which.
        instead_of: distributions that must not be there beside it, which are uninstalled first if they are.
    """
    pip = f"{shlex.quote(sys.executable)} -m pip"
    others = [name for name in instead_of.split() if is_installed(name)]
    before = f"{pip} uninstall -y {' '.join(others)} && " if others else ""
    return f"{before}{pip} install {_source(extra)}"


def _source(extra: str) -> str:
    """Return what to give to pip: the checkout that Impasto was installed from, if it was, else the distribution."""
    try:
        told = json.loads(distribution(DISTRIBUTION).read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, ValueError):
        told = {}
    if "dir_info" in told:
        folder = shlex.quote(f"{unquote(urlsplit(told['url']).path)}[{extra}]")
        return f"-e {folder}" if told["dir_info"].get("editable") else folder
    return shlex.quote(f"{DISTRIBUTION}[{extra}]")


def _is_for_here(requirement: str) -> bool:
    """Judge the markers that ours have: of the system and the processor."""
    marker = requirement.partition(";")[2]
    for key, value in (("platform_system", platform.system()), ("platform_machine", platform.machine())):
        if key in marker and f"'{value}'" not in marker and f'"{value}"' not in marker:
            return False
    return True
