from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from impasto import images
from impasto.errors import InvalidInput
from impasto_trainer.photos import PhotoCrops, find_photos, flat_picture, loader
from tests.trainer.pictures import photos


def test_photos_are_found_in_folders_below_and_nothing_else_is(tmp_path: Path) -> None:
    photos(tmp_path / "a" / "b", count=2)
    (tmp_path / "notes.txt").write_text("no photo")
    assert [path.name for path in find_photos(tmp_path)] == ["photo_0.jpg", "photo_1.jpg"]


def test_a_missing_or_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="absent is no folder"):
        find_photos(tmp_path / "absent")
    with pytest.raises(InvalidInput, match="holds no picture"):
        find_photos(tmp_path)


def test_a_crop_depends_on_its_number_and_the_seed_alone(tmp_path: Path) -> None:
    found = find_photos(photos(tmp_path / "p"))
    first, again, other = (PhotoCrops(found, 64, seed=seed) for seed in (1, 1, 2))
    _ = first[3]
    assert torch.equal(first[5], again[5])
    assert not torch.equal(first[5], other[5])
    assert first[5].shape == (3, 64, 64)
    assert 0 <= first[5].min() <= first[5].max() <= 1


def test_every_photo_is_seen_once_an_epoch(tmp_path: Path) -> None:
    crops = PhotoCrops(find_photos(photos(tmp_path / "p", count=6)), 64)
    for epoch in range(3):
        assert sorted(crops.place(6 * epoch + k) for k in range(6)) == list(range(6))


def test_photos_smaller_than_a_crop_are_enlarged(tmp_path: Path) -> None:
    crops = PhotoCrops(find_photos(photos(tmp_path / "p", width=20, height=300)), 64)
    assert crops[0].shape == (3, 64, 64)


def test_a_batch_made_by_a_process_of_its_own_skips_and_counts_a_broken_photo(tmp_path: Path) -> None:
    folder = photos(tmp_path / "p", count=3)
    whole = (folder / "photo_1.jpg").read_bytes()
    (folder / "photo_1.jpg").write_bytes(whole[: len(whole) // 2])
    crops = PhotoCrops(find_photos(folder), 64)
    batches = list(loader(crops, [range(3), range(3, 6)], workers=1))
    assert [batch.shape for batch in batches] == [(3, 3, 64, 64)] * 2
    assert crops.unreadable == 2


@pytest.mark.filterwarnings("ignore:skipped")
def test_a_folder_of_broken_photos_is_given_up(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("text")
    with pytest.raises(InvalidInput, match=r"64 photos in a row.*a\.jpg"):
        PhotoCrops([tmp_path / "a.jpg"], 64)[0]


def test_a_folder_of_broken_photos_is_given_up_by_a_process_of_its_own_too(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("text")
    with pytest.raises(InvalidInput, match=r"^photos: 64 photos in a row could not be read, last .*a\.jpg$"):
        list(loader(PhotoCrops([tmp_path / "a.jpg"], 64), [[0]], workers=1))


def test_flat_pictures_hold_little() -> None:
    for seed in range(20):
        picture = np.asarray(flat_picture(64, np.random.default_rng(seed)), dtype=float)
        assert picture.shape == (64, 64, 3)
        neighbours = np.abs(np.diff(picture, axis=0)).mean()
        assert neighbours < 8


def test_the_share_of_flat_pictures_is_kept(tmp_path: Path) -> None:
    busy = np.random.default_rng(0).integers(0, 255, (80, 80, 3), dtype=np.uint8)
    (tmp_path / "busy.png").write_bytes(images.encode(busy, format=images.Format.PNG))
    crops = PhotoCrops(find_photos(tmp_path), 64, flat_share=0.5)
    flat = sum(bool(crops[k].diff(dim=1).abs().mean() < 0.03) for k in range(60))
    assert 18 <= flat <= 42
