"""`impasto bulk-status`: how far bulk work is, and what failed."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from impasto_client.commands.documents import add_json
from impasto_client.commands.progress import duration
from impasto_client.commands.tables import print_table

if TYPE_CHECKING:  # which needs an extra
    from impasto_client.bulk import Failure, ShardStatus, Status

_MOST_FAILURES = 20  # that are listed for people


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("out", metavar="OUT", help="what `impasto bulk` was given as OUT")
    parser.add_argument("--all", action="store_true", help=f"list all that failed, not {_MOST_FAILURES} of them")
    add_json(parser, "JSON, with all that failed")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    from impasto_client import bulk

    found = bulk.status(options.out)
    if options.json:
        print(json.dumps(_plain(found), indent=2))
        return
    print(f"{found.out} from {found.source}: {json.dumps(found.options)}\n")
    _print_shards(found)
    _print_failures(found.failures, len(found.failures) if options.all else _MOST_FAILURES)


def _plain(found: Status) -> dict[str, object]:
    shards = [{**asdict(shard), "left": shard.left} for shard in found.shards]
    return {**asdict(found), "shards": shards}


def _print_shards(found: Status) -> None:
    count = len(found.shards)
    rows = [_row(f"{shard.number}/{count}", shard) for shard in found.shards]
    if count > 1:
        rows.append(("all", "", *_sums(found.shards), ""))
    print_table(("SHARD", "STATE", "PHOTOS", "DONE", "FAILED", "LEFT", "UPDATED"), rows)
    for shard in found.shards:
        if shard.error:
            print(f"{shard.number}/{count} failed: {shard.error}")


def _row(name: str, shard: ShardStatus) -> tuple[str, ...]:
    counts = (_number(shard.photos), _number(shard.done), _number(shard.failed), _number(shard.left))
    return (name, shard.state, *counts, _ago(shard.updated))


def _sums(shards: tuple[ShardStatus, ...]) -> tuple[str, ...]:
    columns = (
        [shard.photos for shard in shards],
        [shard.done for shard in shards],
        [shard.failed for shard in shards],
        [shard.left for shard in shards],
    )
    return tuple(_number(None if None in column else sum(filter(None, column))) for column in columns)


def _number(value: int | None) -> str:
    return "?" if value is None else f"{value:,}"


def _ago(time: str) -> str:
    return f"{duration((datetime.now(UTC) - datetime.fromisoformat(time)).total_seconds())} ago" if time else ""


def _print_failures(failures: tuple[Failure, ...], most: int) -> None:
    if failures:
        print(f"\n{len(failures):,} failed:")
        for failure in failures[:most]:
            print(f"  {failure.source}: {failure.reason}{' (tried again by the next run)' if failure.again else ''}")
        if len(failures) > most:
            print(f"  and {len(failures) - most:,} more; --all lists them")
