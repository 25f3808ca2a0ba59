"""Errors tell what was wrong, and survive the way between processes."""

from __future__ import annotations

import pickle

import pytest

from impasto import errors


def test_an_invalid_input_names_its_field_and_the_reason() -> None:
    error = errors.UnreadableImage("photo", "is empty")

    assert (error.field, error.reason, str(error)) == ("photo", "is empty", "photo: is empty")
    assert isinstance(error, errors.InvalidInput | ValueError)


@pytest.mark.parametrize(
    ("style", "available", "message"),
    [
        ("gould", ["ink", "gold"], "no style 'gould'; did you mean 'gold'? Available: gold, ink"),
        ("zebra", ["ink", "gold"], "no style 'zebra'. Available: gold, ink"),
        ("ink", [], "no style 'ink'. Available: none"),
    ],
    ids=["a near one", "none near", "none at all"],
)
def test_an_unknown_style_is_told_what_exists(style: str, available: list[str], message: str) -> None:
    assert str(errors.StyleNotFound(style, available)) == message


def test_the_message_stays_short_however_many_styles_there_are() -> None:
    error = errors.StyleNotFound("x" * 1_000_000, (f"style-{k:04}" for k in range(1000)))

    assert len(error.available) == 1000
    assert len(str(error)) < 1000
    assert str(error).endswith("and 950 more")


def test_a_missing_dependency_names_the_extra_to_install() -> None:
    error = errors.MissingDependency("torch", "train")

    assert str(error) == "torch is not installed; run: pip install 'impasto[train]'"
    assert isinstance(error, ImportError)


@pytest.mark.parametrize(
    "error",
    [
        errors.InvalidInput("strength", "2 is out of range"),
        errors.ImageTooLarge("photo", "9x9 px"),
        errors.StyleNotFound("gould", ["ink", "gold"]),
        errors.MissingDependency("torch", "train"),
        errors.EngineError("out of memory"),
        errors.JobNotFound("5f0c"),
        errors.JobEnded("5f0c", "failed"),
        errors.JobUnfinished("5f0c", "queued"),
        errors.QueueFull(100, 2.5),
        errors.RequestReused("one"),
        errors.BlobMissing("5f0c", "photo"),
        errors.LeaseLost("5f0c"),
        errors.StoreUnavailable("s3://bucket", "it is away"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_can_be_pickled(error: errors.ImpastoError) -> None:
    copy = pickle.loads(pickle.dumps(error))

    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)
