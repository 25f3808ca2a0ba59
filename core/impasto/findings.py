"""What an examination of a machine or a server finds: told to people in lines, and to programs as JSON."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any, TextIO


class State(Enum):
    """How things are."""

    OK = "ok"
    WARNING = "warning"  # it works, but not as well or as safely as it could
    PROBLEM = "problem"  # it does not work


_COLOURS = {State.OK: 32, State.WARNING: 33, State.PROBLEM: 31}  # of ECMA-48: green, yellow, red
_WIDEST_STATE = max(len(state.value) for state in State)


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        check: what was looked at, in a word or two that stay the same.
        state: how it is.
        says: in one sentence.
        fix: a command that mends it, or brings what is missing; None where there is nothing to do.
    """

    check: str
    state: State
    says: str
    fix: str | None = None

    def plain(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {**asdict(self), "state": self.state.value}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Finding:
        return cls(plain["check"], State(plain["state"]), plain["says"], plain["fix"])


def ok(check: str, says: str, fix: str | None = None) -> Finding:
    return Finding(check, State.OK, says, fix)


def warning(check: str, says: str, fix: str | None = None) -> Finding:
    return Finding(check, State.WARNING, says, fix)


def problem(check: str, says: str, fix: str | None = None) -> Finding:
    return Finding(check, State.PROBLEM, says, fix)


def lines(findings: Sequence[Finding], *, colours: bool) -> Iterable[str]:
    """Yield a line for each finding, and another for what mends it."""
    width = max((len(finding.check) for finding in findings), default=0)
    for finding in findings:
        state = finding.state.value.ljust(_WIDEST_STATE)
        shown = f"\x1b[{_COLOURS[finding.state]}m{state}\x1b[0m" if colours else state
        yield f"  {shown}  {finding.check.ljust(width)}  {finding.says}"
        if finding.fix:
            yield f"  {'':{_WIDEST_STATE + width + 2}}  -> {finding.fix}"


def summary(findings: Sequence[Finding]) -> str:
    """Return how many there are of each state."""
    counts = Counter(finding.state for finding in findings)
    warnings, problems = counts[State.WARNING], counts[State.PROBLEM]
    return (
        f"{counts[State.OK]} ok, {warnings} warning{'' if warnings == 1 else 's'}, "
        f"{problems} problem{'' if problems == 1 else 's'}"
    )


def has_problem(findings: Sequence[Finding]) -> bool:
    return any(finding.state is State.PROBLEM for finding in findings)


def takes_colours(stream: TextIO) -> bool:
    """Tell whether a stream is a terminal whose user has not asked for plain text (no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
