"""What the check of the protos lets pass, and what it does not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from scripts import proto_check
from scripts.proto_check import BUF, RELEASED, main, problems, release
from scripts.protos import lay_out

STYLIZER = "impasto/v1/stylizer.proto"
FEATHER = "optional float feather = 2 [(google.api.field_behavior) = OPTIONAL];"
BREAKING = {
    "a field is gone": (FEATHER, "", 'present field "2" with name "feather" on message "Mask" was deleted'),
    "a field's number changed": ("bool inverted = 3", "bool inverted = 5", 'present field "3" with name "inverted"'),
    "a field's type changed": ("int32 quality = 9", "int64 quality = 9", 'changed type from "int32" to "int64"'),
    "a field's name changed": (
        "int32 working_size",
        "int32 painted_size",
        'name from "working_size" to "painted_size"',
    ),
    "a field lost its presence": (
        "optional float strength",
        "float strength",
        '"strength" on message "StylizeRequest"',
    ),
    "a field left its oneof": (
        "StyleImages style_images = 4;\n  }",
        "}\n\n  // Out.\n  StyleImages style_images = 4;",
        '"style_images" on message "StylizeRequest" moved from inside to outside a oneof',
    ),
    "a value's number changed": (
        "IMAGE_FORMAT_WEBP = 3",
        "IMAGE_FORMAT_WEBP = 7",
        'enum value "3" on enum "ImageFormat"',
    ),
    "a method's name changed": ("rpc GetStyle(", "rpc FetchStyle(", 'Previously present RPC "GetStyle"'),
    "a request's type changed": (
        "rpc ListStyles(ListStylesRequest)",
        "rpc ListStyles(GetStyleRequest)",
        '"ListStyles"',
    ),
    "Java's package changed": ('"dev.impasto.v1"', '"dev.impasto"', 'option "java_package" changed'),
}
HARMLESS = (
    (FEATHER, FEATHER + "\n\n  // New.\n  optional string new = 4;"),
    (
        "rpc GetStyle(",
        "// New.\n  rpc GetNew(GetNewRequest) returns (GetNewResponse);\n\n  // Gets one.\n  rpc GetStyle(",
    ),
    (
        "// A request to list styles.",
        "// New.\nmessage GetNewRequest {}\n\n// New.\nmessage GetNewResponse {}\n\n// Lists.",
    ),
    ("IMAGE_FORMAT_WEBP = 3;", "IMAGE_FORMAT_WEBP = 3;\n\n  // New.\n  IMAGE_FORMAT_NEW = 99;"),
    ("How far the edge is softened", "How soft the edge is"),
)

pytestmark = pytest.mark.skipif(
    not (BUF.exists() and shutil.which("node")), reason="buf is not here; `make proto` brings it, and needs npm"
)


def edited(protos: Path, *edits: tuple[str, str]) -> Path:
    """Lay the protos out, with edits to the API of Stylizer: what to put in the place of what."""
    lay_out(protos)
    text = (protos / STYLIZER).read_text()
    for old, new in edits:
        assert old in text
        text = text.replace(old, new, 1)
    (protos / STYLIZER).write_text(text)
    return protos


@pytest.fixture(scope="module")
def told_of_breaking(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return what is said of an API with every breaking change at once."""
    return problems(edited(tmp_path_factory.mktemp("protos"), *(case[:2] for case in BREAKING.values())))


def test_the_protos_as_they_are_break_nobody_and_follow_the_rules(tmp_path: Path) -> None:
    assert problems(edited(tmp_path)) == ""


@pytest.mark.parametrize("change", BREAKING)
def test_what_breaks_a_caller_is_found(told_of_breaking: str, change: str) -> None:
    assert BREAKING[change][-1] in told_of_breaking


def test_a_number_that_is_reserved_breaks_those_who_use_it_all_the_same(tmp_path: Path) -> None:
    told = problems(edited(tmp_path, (FEATHER, 'reserved 2;\n\n  reserved "feather";')))

    assert BREAKING["a field is gone"][-1] in told


def test_what_breaks_nobody_is_let_pass(tmp_path: Path) -> None:
    assert problems(edited(tmp_path, *HARMLESS)) == ""


def test_what_is_not_in_our_style_is_found_with_file_and_line(tmp_path: Path) -> None:
    protos = edited(tmp_path, ("  // Pixels down.\n", ""), (FEATHER, FEATHER + "\n\n  // New.\n  bool isNew = 9;"))

    told = problems(protos).splitlines()

    assert [line.split(":", 3)[0] for line in told] == [STYLIZER, STYLIZER]
    assert '"isNew" should be lower_snake_case' in told[0]
    assert 'Field "height" should have a non-empty comment' in told[1]


def test_a_command_that_is_not_known_is_told_what_is() -> None:
    assert "python -m scripts.proto_check release" in str(main(["relase"]))


def test_a_check_that_was_killed_is_no_praise_and_a_release_that_was_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = tmp_path / "buf"
    killed.write_text("#!/bin/sh\nkill -KILL $$\n")
    killed.chmod(0o755)
    monkeypatch.setattr(proto_check, "BUF", killed)
    monkeypatch.setattr(proto_check, "RELEASED", tmp_path / "released.binpb.gz")
    protos = edited(tmp_path / "protos")

    told = problems(protos)

    assert told == "buf lint ended with status -9\nbuf breaking ended with status -9\n"
    assert release(protos) == "buf build ended with status -9\n"
    assert not (tmp_path / "released.binpb.gz").exists()


def test_a_release_is_what_later_changes_are_compared_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    released = tmp_path / "released" / RELEASED.name
    released.parent.mkdir()
    monkeypatch.setattr(proto_check, "RELEASED", released)
    new = edited(tmp_path / "new", (FEATHER, FEATHER + "\n\n  // New.\n  optional string new = 4;"))

    assert release(new) == ""

    assert problems(new) == ""
    assert '"4" with name "new" on message "Mask" was deleted' in problems(edited(tmp_path / "old"))
