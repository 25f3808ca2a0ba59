"""Places with very many photos, and what is remembered of each."""

from __future__ import annotations

import gc
import random
from collections import deque
from itertools import islice
from pathlib import Path

import fsspec
import pytest

from benchmarks.many_keys import URL, many_keys
from impasto_client import InvalidRequest
from impasto_client.bulk import Shard
from impasto_client.bulk.listing import Listing, shard_number
from impasto_client.bulk.marks import Marks
from impasto_client.bulk.names import digest_of
from impasto_client.bulk.places import File, Place
from impasto_client.bulk.records import PAINTED, mark

PAGE = 1_000  # keys


def listing(place: Place, shard: Shard | None = None, marks: Marks | None = None) -> Listing:
    return Listing(place, shard or Shard(), (), None, marks or Marks(), "options", retry_failed=False)


def held() -> int:
    """Return how many files of listings are in memory."""
    return sum(type(thing) is File for thing in gc.get_objects())


def test_a_bucket_is_listed_page_by_page_as_its_photos_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with many_keys(1_000_000, b"photo") as bucket:
        for name, value in bucket.environment.items():
            monkeypatch.setenv(name, value)
        photos = listing(Place.open(URL, "source")).photos(lambda _: None)

        first = next(photos)
        assert (first.path, first.size, bucket.pages) == ("0000000.png", 5, 1)
        del first
        before = held()
        last = deque(islice(photos, PAGE), maxlen=1)[0]
        assert (last.path, bucket.pages) == (f"{PAGE:07}.png", 2)
        assert held() <= before + 1
        photos.close()  # type: ignore[attr-defined]


def test_a_folder_is_listed_entry_by_entry(tmp_path: Path) -> None:
    for number in range(300):
        (tmp_path / f"{number}.jpg").touch()
    photos = listing(Place.open(str(tmp_path), "source")).photos(lambda _: None)

    before, count = held(), 0
    for _ in photos:
        count += 1
        assert count % 100 or held() <= before + 2
    assert count == 300


def test_any_store_that_fsspec_reaches_is_listed_folder_by_folder() -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe({f"/photos/{path}": b"photo" for path in ("a.jpg", "b/c.png", "b/d/e.webp", "b/notes.txt")})
    place = Place.open("memory://photos", "source")
    try:
        assert {file.path for file in listing(place).photos(lambda _: None)} == {"a.jpg", "b/c.png", "b/d/e.webp"}
        assert [place.read("a.jpg"), place.names("b")] == [b"photo", ["c.png", "d", "notes.txt"]]
    finally:
        memory.rm("/photos", recursive=True)


def test_a_shard_without_photos_is_no_mistake_but_a_place_without_any_is(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    place, other = Place.open(str(tmp_path), "source"), 1 - shard_number("a.jpg", 2)

    assert list(listing(place, Shard(other, 2)).photos(lambda _: None)) == []
    (tmp_path / "a.jpg").unlink()
    with pytest.raises(InvalidRequest, match=r"holds no photo; photos end in \.jpg"):
        list(listing(place).photos(lambda _: None))


def test_shards_are_even() -> None:
    counts = [0] * 8
    for number in range(8_000):
        counts[shard_number(f"2026/{number:05}.jpg", 8)] += 1
    assert all(900 < count < 1_100 for count in counts)


def test_what_was_painted_is_known_until_the_photo_or_the_options_change(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"photo")
    place, marks = Place.open(str(tmp_path), "source"), Marks()
    (file,) = listing(place).photos(lambda _: None)

    marks.set(digest_of("a.jpg"), mark(file, "options", PAINTED))
    assert list(listing(place, marks=marks).photos(lambda _: None)) == []

    marks.set(digest_of("a.jpg"), mark(file, "other options", PAINTED))
    assert list(listing(place, marks=marks).photos(lambda _: None)) == [file]

    marks.set(digest_of("a.jpg"), mark(file, "options", PAINTED))
    (tmp_path / "a.jpg").write_bytes(b"another photo")
    assert len(list(listing(place, marks=marks).photos(lambda _: None))) == 1


def test_marks_are_a_map_in_a_few_bytes() -> None:
    generator = random.Random(1)
    digests = [generator.getrandbits(64) for _ in range(20_000)]
    known = {digest: number for number, digest in enumerate([*digests, *digests[:100]])}
    marks = Marks()

    for digest, number in known.items():
        marks.set(digest, number)

    assert len(marks) == len(known)
    assert all(marks.get(digest) == number for digest, number in known.items())
    assert [marks.get(generator.getrandbits(64)) for _ in range(100)] == [None] * 100
    assert marks.byte_count <= 16 * 2**15
    marks.set(0, 7)
    assert (marks.get(0), marks.get(1)) == (7, 7)
