"""`impasto-train`: from photos and paintings to a checkpoint."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from impasto.errors import ImpastoError
from impasto_trainer.commands import add_style, distill, evaluate, fit
from impasto_trainer.interruption import Interrupted

COMMANDS = (fit, add_style, evaluate, distill)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except (ImpastoError, OSError) as error:
        print(f"impasto-train: {error}", file=sys.stderr)
        return 1
    except Interrupted as stop:
        print(f"impasto-train: {stop.signal.name}: stopped and saved; go on with --resume", file=sys.stderr)
        return stop.status
    except KeyboardInterrupt:
        print("impasto-train: interrupted before the first step", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="impasto-train", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        added = commands.add_parser(command.NAME, help=command.HELP, description=command.__doc__)
        command.add_arguments(added)
        added.set_defaults(run=command.run)
    return parser


if __name__ == "__main__":
    sys.exit(main())
