"""How many files the process may have open: each connection is one."""

from __future__ import annotations

import resource

_ENOUGH = 65_536


def allow_many_files() -> None:
    """Raise the process's own limit, which shells set to 1024 for programs of another age, as far as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _ENOUGH if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
