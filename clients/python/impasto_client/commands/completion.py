"""`impasto completion`: what lets a shell complete the command line, made by shtab from the parser itself."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from impasto.errors import MissingDependency

SHELLS = ("bash", "zsh", "tcsh", "fish")

_FILES = ("photos", "out", "source", "style_image")  # options that are files, though they are parsed as text
_STYLES = "style"

# A server that is away must not hold up or disturb whoever presses Tab. Styles go by their short names, unless a
# bundle's name has been typed. Of what a server sends only names pass: a shell would run what stands in `$(...)`.
_ASK = "impasto styles --quiet --timeout 1 2>/dev/null | grep -xE '[A-Za-z0-9][A-Za-z0-9._@/-]*'"
_SHORT = "sed 's|.*/||'"
_PREAMBLES = {
    "bash": f"""\
_impasto_styles() {{
  case $1 in
    */*) compgen -W "$({_ASK})" -- "$1" ;;
    *) compgen -W "$({_ASK} | {_SHORT})" -- "$1" ;;
  esac
}}""",
    "zsh": f"""\
_impasto_styles() {{
  case $PREFIX in
    */*) compadd -- ${{(f)"$({_ASK})"}} ;;
    *) compadd -- ${{(f)"$({_ASK} | {_SHORT})"}} ;;
  esac
}}""",
}
_COMPLETED = {
    "bash": "_impasto_styles",
    "zsh": "_impasto_styles",
    "tcsh": "",  # its rules leave no place for quotes and slashes in a command
    "fish": f"({_ASK} | {_SHORT})",
}

_DESCRIPTION = """\
Print what lets a shell complete commands, options, files, and, by asking the server, styles (tcsh: not those).

  bash   impasto completion bash > ~/.local/share/bash-completion/completions/impasto
  zsh    impasto completion zsh > ~/.zfunc/_impasto      with fpath=(~/.zfunc $fpath) before compinit in ~/.zshrc
  tcsh   impasto completion tcsh > ~/.impasto.tcsh       with source ~/.impasto.tcsh in ~/.tcshrc
  fish   impasto completion fish > ~/.config/fish/completions/impasto.fish
"""


def add(parser: argparse.ArgumentParser) -> None:
    parser.description = _DESCRIPTION
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help=", ".join(SHELLS))
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print the script.

    Raises:
        MissingDependency: shtab.
    """
    try:
        import shtab
    except ImportError as error:
        raise MissingDependency("shtab", "shell") from error
    from impasto_client.cli import parser

    whole = parser()
    for action in _actions(whole):
        if action.dest == _STYLES:
            action.complete = _COMPLETED  # type: ignore[attr-defined]
        elif action.dest in _FILES or action.type is Path:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
    print(shtab.complete(whole, options.shell, preamble=_PREAMBLES.get(options.shell, "")))


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield the options and arguments of a command line, those of its commands as well."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            commands: dict[str, Any] = action.choices
            for command in commands.values():
                yield from _actions(command)
