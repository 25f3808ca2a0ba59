"""Processes that are killed, and such that are told to stop."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from threading import Event

from impasto_client import Client
from impasto_client.bulk import Progress, paint_folder, status
from tests.client.bulk.processes import bulk, ended, until
from tests.client.bulk.support import Pausing, are_whole, echo, entries, pictures, put_many
from tests.client.servers import serving

PHOTOS = 100


def test_what_was_done_before_a_kill_or_a_stop_is_not_done_again(tmp_path: Path, target: str) -> None:
    photos, out = put_many(tmp_path / "photos", PHOTOS), tmp_path / "out"
    arguments = ("bulk", photos, out, "--style", "ink", "--window", "4", "--server")

    with serving(Pausing(21)) as server, bulk(*arguments, server.target) as process:
        until(lambda: len(list(entries(out))) == 20)
        process.kill()
        process.wait()
    assert are_whole(out)
    assert len(pictures(out)) == 20
    assert status(str(out)).shards[0].state == "running"

    pausing = Pausing(31)
    with serving(pausing) as server, bulk(*arguments, server.target) as process:
        until(lambda: len(list(entries(out))) == 50)
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        assert "stopping: what is under way is finished" in process.stderr.readline()
        pausing.go.set()
        code, output, _ = ended(process)
    assert code == 143
    assert "painted stopped after" in output
    done = [entry["source"] for entry in entries(out)]
    assert 50 < len(done) < PHOTOS  # those that were under way, and no others
    assert len(set(done)) == len(done) == len(pictures(out))
    (shard,) = status(str(out)).shards
    assert (shard.state, shard.done) == ("stopped", len(done))

    with bulk(*arguments, target, "--json") as process:
        code, output, _ = ended(process)
    assert code == 0
    report = json.loads(output)
    assert (report["painted"], report["done_before"]) == (PHOTOS - len(done), len(done))
    assert len(pictures(out)) == PHOTOS
    assert are_whole(out)


def test_a_second_signal_does_not_wait_for_what_is_under_way(tmp_path: Path) -> None:
    photos = put_many(tmp_path / "photos", 10)

    with (
        serving(Pausing(1)) as server,
        bulk("bulk", photos, tmp_path / "out", "--style", "ink", "--server", server.target) as process,
    ):
        until((tmp_path / "out/_impasto/options.json").exists)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert "once more to leave at once" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        code, _, errors = ended(process)

    assert (code, errors) == (130, "impasto: interrupted\n")


def test_what_is_not_done_in_time_is_left_to_the_next_run(tmp_path: Path) -> None:
    photos, out, stop = put_many(tmp_path / "photos", 10), tmp_path / "out", Event()

    def stop_soon(_: Progress) -> None:
        if (out / "_impasto/options.json").exists():
            stop.set()

    with serving(Pausing(1)) as server, Client(server.target) as client:
        report = paint_folder(client, str(photos), str(out), "ink", stop=stop, stop_seconds=0.2, on_progress=stop_soon)

    assert (report.stopped, report.painted, report.failed) == (True, 0, 0)
    assert list(entries(out)) == []
    with serving(echo) as server, Client(server.target) as client:
        assert paint_folder(client, str(photos), str(out), "ink").painted == 10


def test_a_run_that_has_nothing_left_when_it_is_stopped_is_done(tmp_path: Path) -> None:
    photos, stop = put_many(tmp_path / "photos", 10), Event()

    def stop_late(progress: Progress) -> None:
        if progress.painted == 10:
            stop.set()

    with serving(echo) as server, Client(server.target) as client:
        report = paint_folder(client, str(photos), str(tmp_path / "out"), "ink", stop=stop, on_progress=stop_late)

    assert (report.painted, report.stopped) == (10, False)
