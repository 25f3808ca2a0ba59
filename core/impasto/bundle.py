"""A bundle: a directory with one transformer and the style codes that it paints.

    bundle.json               the manifest: everything below, and the SHA-256 of every other file
    transformer.onnx          the graph; its weights lie in
    transformer.safetensors   which the graph refers to as external data, so that they are stored once
    transformer.fp16.onnx     the graph in half precision, of the same weights; not in every bundle
    styles.safetensors        style id -> [D], and `identity`
    styles/<id>.jpg, .md      thumbnail and model card of each style

Reading one verifies every digest, opens no pickle and fetches no code.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors

from impasto.codes import GATE_CHANNELS, Codes, gate
from impasto.errors import BundleError, StyleNotFound

FORMAT_VERSION = 1
MANIFEST = "bundle.json"
GRAPH = "transformer.onnx"
HALF_GRAPH = "transformer.fp16.onnx"
WEIGHTS = "transformer.safetensors"
CODES = "styles.safetensors"
IDENTITY = "identity"
STARTER = Path(__file__).parent / "bundles" / "starter"
"""The bundle that comes with Impasto."""

_ID = re.compile(r"[a-z0-9][a-z0-9-]*")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}", re.ASCII)


@dataclass(frozen=True)
class StyleInfo:
    """What is known of a style.

    Attributes:
        id: lower case, digits and hyphens; unique in its bundle.
        title, artist, year: of the painting; empty where unknown.
        thumbnail: JPEG of the painting.
        card: the model card, Markdown.
    """

    id: str
    title: str = ""
    artist: str = ""
    year: str = ""
    thumbnail: bytes = field(default=b"", repr=False)
    card: str = field(default="", repr=False)


@dataclass(frozen=True)
class Bundle:
    """A bundle that has been read and verified.

    Attributes:
        path: its directory.
        name: lower case, digits and hyphens.
        version: as its maker numbers it: up to 64 letters, digits, dots, hyphens, underscores and plus signs.
        transformer: hex digest of graph and weights; codes belong to exactly this transformer.
        size_multiple: heights and widths must be multiples of this many px.
        styles: id -> what is known of it, sorted by id.
        codes: id -> [D].
        identity: [D], the code that returns the photo.
        manifest: all of bundle.json.
    """

    path: Path
    name: str
    version: str
    transformer: str
    size_multiple: int
    styles: Mapping[str, StyleInfo]
    codes: Mapping[str, Codes] = field(repr=False)
    identity: Codes = field(repr=False)
    manifest: Mapping[str, Any] = field(repr=False)

    @property
    def graph(self) -> Path:
        return self.path / GRAPH

    @property
    def graphs(self) -> Mapping[str, Path]:
        """The graph in every precision that there is one in: `fp32` always, and `fp16` in most bundles."""
        return {name: self.path / file for name, file in _precisions(self.manifest).items()}

    def graph_in(self, precision: str) -> Path:
        """Return the graph in a precision, or raise BundleError."""
        if precision not in self.graphs:
            raise BundleError(
                f"{self.path} has no graph in {precision!r}, but {', '.join(self.graphs)}; "
                f"export it again, or run: impasto-export --half {self.path}"
            )
        return self.graphs[precision]

    def code(self, style: str) -> Codes:
        """Return a style's code [D], or raise StyleNotFound."""
        if style not in self.codes:
            raise StyleNotFound(style, self.codes)
        return self.codes[style]


def load_bundle(path: Path) -> Bundle:
    """Read a bundle and verify it.

    Raises:
        BundleError: a file is missing, was altered, has an unknown format, or makes no sense; says which.
    """
    manifest = _read_manifest(path)
    contents = _verified_contents(path, manifest)
    try:
        return _assemble(path, manifest, contents)
    except KeyError as error:
        raise BundleError(f"{path}: {MANIFEST} lacks {error}; export it again") from error
    except (TypeError, ValueError) as error:
        raise BundleError(f"{path}: {MANIFEST} makes no sense: {error}; export it again") from error


def write_bundle(path: Path, manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> Bundle:
    """Write a bundle, read it back and return it; an older bundle at `path` is replaced whole.

    Args:
        path: its directory, made if need be.
        manifest: bundle.json without `format_version` and `files`, which are added.
        files: every other file's name, relative to `path`, and contents.

    Raises:
        BundleError: it could not be written, what was written is no valid bundle, or something else is at `path`;
            what was there is untouched.
    """
    if path.exists() and not (path / MANIFEST).is_file():
        raise BundleError(f"{path} exists and is no bundle; remove it, or write elsewhere")
    for name in files:
        _check_inside(path, name)
    digests = {name: sha256(data) for name, data in files.items()}
    complete = {"format_version": FORMAT_VERSION, **manifest, "files": digests}
    draft, older = (path.with_name(f".{path.name}.{os.getpid()}.{kind}") for kind in ("draft", "older"))
    try:
        for name, data in {**files, MANIFEST: (json.dumps(complete, indent=2) + "\n").encode()}.items():
            (draft / name).parent.mkdir(parents=True, exist_ok=True)
            (draft / name).write_bytes(data)
        bundle = load_bundle(draft)
        _put_in_place(draft, path, older)
    except OSError as error:
        raise BundleError(f"could not write the bundle {path}: {error}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return replace(bundle, path=path)


def _put_in_place(draft: Path, path: Path, older: Path) -> None:
    """Rename `draft` to `path`. No directory can be replaced at once, so an older one steps aside for that moment."""
    if not path.exists():
        draft.rename(path)
        return
    path.rename(older)
    try:
        draft.rename(path)
    except OSError:
        older.rename(path)
        raise
    shutil.rmtree(older, ignore_errors=True)


def is_id(text: str) -> bool:
    """Return whether this can be the id of a style or the name of a bundle."""
    return _ID.fullmatch(text) is not None


def is_version(text: str) -> bool:
    """Return whether this can be the version of a bundle."""
    return _VERSION.fullmatch(text) is not None


def slug(text: str) -> str:
    """Return the id nearest to a name, `The_Scream` -> `the-scream`; empty where no letter or digit is left."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def transformer_digest(digests: Mapping[str, str]) -> str:
    """Return the digest that stands for graph and weights, from the digests of the files."""
    return hashlib.sha256(f"{digests[GRAPH]} {digests[WEIGHTS]}".encode()).hexdigest()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def parse_manifest(data: bytes, where: object) -> dict[str, Any]:
    """Read what a bundle.json holds.

    Args:
        data: the file.
        where: the bundle, for errors.

    Raises:
        BundleError: it is no JSON, of another format, or lists no files, or some that lie outside the bundle.
    """
    try:
        manifest = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{where}: {MANIFEST} is no JSON: {error}; copy the bundle again") from error
    found = manifest.get("format_version") if isinstance(manifest, dict) else None
    if found != FORMAT_VERSION:
        raise BundleError(f"{where} has format version {found!r}; this Impasto reads {FORMAT_VERSION}; export it again")
    files = manifest.get("files")
    if not isinstance(files, dict) or not {GRAPH, WEIGHTS, CODES} <= files.keys():
        raise BundleError(f"{where}: {MANIFEST} does not list {GRAPH}, {WEIGHTS} and {CODES}; export it again")
    for name in files:
        _check_inside(where, name)
    return dict(manifest)


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        data = (path / MANIFEST).read_bytes()
    except OSError as error:
        raise BundleError(f"{path} is no bundle: cannot read {MANIFEST}: {error.strerror}") from error
    return parse_manifest(data, path)


def _verified_contents(path: Path, manifest: dict[str, Any]) -> dict[str, bytes]:
    """Return every file of the bundle by its name, each as the manifest says it was made."""
    contents = {}
    for name, digest in manifest["files"].items():
        try:
            data = (path / name).read_bytes()
        except OSError as error:
            raise BundleError(f"{path}: cannot read {name}: {error.strerror}; copy the bundle again") from error
        if sha256(data) != digest:
            raise BundleError(
                f"{path}: {name} has SHA-256 {sha256(data)[:12]}..., not {str(digest)[:12]}... as {MANIFEST} says; "
                "it was altered or copied in part"
            )
        contents[name] = data
    return contents


def _check_inside(where: object, name: str) -> None:
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or "\0" in name:
        raise BundleError(f"{where}: {MANIFEST} lists {name!r}, which lies outside the bundle; do not trust it")


def _assemble(path: Path, manifest: dict[str, Any], contents: dict[str, bytes]) -> Bundle:
    codes = _read_codes(path, contents[CODES], manifest["code_size"])
    identity = codes.pop(IDENTITY)
    styles = {entry["id"]: _style_info(entry, contents) for entry in manifest["styles"]}
    if not styles or styles.keys() != codes.keys():
        raise BundleError(
            f"{path}: {MANIFEST} lists the styles {sorted(styles)}, but {CODES} holds the codes {sorted(codes)}"
        )
    for name in (manifest["name"], *styles):
        if not is_id(name):
            raise ValueError(f"{name!r} is no id; one has lower case letters, digits and hyphens")
    if not is_version(str(manifest["version"])):
        raise ValueError(
            f"{str(manifest['version'])[:100]!r} is no version; one has letters, digits and any of . _ + -"
        )
    for file in _precisions(manifest).values():
        if file not in contents:
            raise ValueError(f"it names the graph {file!r} among its precisions, but not among its files")
    size_multiple = manifest["size_multiple"]
    if not isinstance(size_multiple, int) or size_multiple < 1:
        raise ValueError(f"size_multiple is {size_multiple!r}, not a whole number above 0")
    return Bundle(
        path=path,
        name=manifest["name"],
        version=str(manifest["version"]),
        transformer=transformer_digest(manifest["files"]),
        size_multiple=size_multiple,
        styles=dict(sorted(styles.items())),
        codes=codes,
        identity=identity,
        manifest=manifest,
    )


def _precisions(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return the file of the graph in every precision."""
    return {**dict(manifest.get("precisions", {})), "fp32": GRAPH}


def _style_info(entry: Mapping[str, Any], contents: Mapping[str, bytes]) -> StyleInfo:
    style = entry["id"]
    return StyleInfo(
        id=style,
        title=str(entry.get("title", "")),
        artist=str(entry.get("artist", "")),
        year=str(entry.get("year", "")),
        thumbnail=contents[f"styles/{style}.jpg"],
        card=contents[f"styles/{style}.md"].decode(),
    )


def _read_codes(path: Path, data: bytes, size: Any) -> dict[str, Codes]:
    """Return every code [size] by its name, the identity's among them."""
    try:
        codes = load_tensors(data)
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise BundleError(f"{path}: {CODES} cannot be read: {error}; export it again") from error
    for name, code in codes.items():
        if code.shape != (size,) or code.dtype != np.float32 or size <= 2 * GATE_CHANNELS:
            raise BundleError(
                f"{path}: {CODES} holds {name!r} as {code.dtype} {code.shape}; "
                f"{MANIFEST} asks for float32 ({size},), of more than {2 * GATE_CHANNELS}"
            )
        if not np.isfinite(code).all():
            raise BundleError(f"{path}: {CODES} holds numbers in {name!r} that are not finite; train it again")
    if IDENTITY not in codes:
        raise BundleError(f"{path}: {CODES} lacks the code {IDENTITY!r}; export it again")
    a, b = gate(codes[IDENTITY])
    if (a != 1).any() or (b != 0).any():
        raise BundleError(f"{path}: {CODES} holds an {IDENTITY!r} that does not return the photo: its gate is {a}, {b}")
    return codes
