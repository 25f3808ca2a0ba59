"""HEIC decoded in a process of its own, for each picture a new one.

What decodes it is a library in which a file that is damaged on purpose can corrupt memory. There it ends a process that
has no other picture, no secret and no environment, and not the server; see decision 41.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO, cast

from PIL import Image

from impasto import heic_process
from impasto.heic_process import MODES, NOT_INSTALLED, UNREADABLE

_log = logging.getLogger(__name__)

SECONDS = 60  # that a picture may take by the clock; its process limits what it takes of a processor to less
_LINE = 200  # bytes
_COMPLAINT = 4096  # bytes of what it says of itself that are read
_BYTES_A_PIXEL = 4  # at most

Size = tuple[int, int]
"""Width and height, px."""


class NotInstalled(Exception):
    """The library that decodes is not there, or cannot be loaded."""


class NotStarted(Exception):
    """There was no process or no memory to be had for it: nothing is wrong with the picture."""


@cache
def folders() -> tuple[str, ...]:
    """Return where the decoder's packages are; none where they are not."""
    found = [find_spec(name) for name in ("pi_heif", "PIL")]
    places = [str(Path(spec.origin).parents[1]) for spec in found if spec is not None and spec.origin]
    return tuple(dict.fromkeys(places)) if len(places) == len(found) else ()


def decode(file: bytes, size: Size, at_least: Size | None) -> tuple[Image.Image, int]:
    """Return the picture in a HEIC file, and by what its sides have been divided.

    Args:
        file: by whose header the size is allowed.
        size: that it must have.
        at_least: px, the sides that are wanted; those of the picture are at least these, and may be fewer than it has.

    Raises:
        NotInstalled: nothing decodes it.
        NotStarted: its process could not begin.
        OSError: it is damaged, or ends its decoder.
    """
    with ExitStack() as stack:
        sent, received, complaint = (stack.enter_context(_in_memory()) for _ in range(3))
        sent.write(file)
        sent.seek(0)
        command = [sys.executable, "-I", "-S", heic_process.__file__, *map(str, (*size, *(at_least or (0, 0))))]
        run = _run([*command, *folders()], sent, received, complaint)
        complaint.seek(0)
        said = " ".join(complaint.read(_COMPLAINT).decode(errors="replace").split())
        if run.returncode == NOT_INSTALLED:
            _log.warning("what decodes HEIC is installed and cannot be loaded: %s", said[-_LINE:])
            raise NotInstalled(said)
        if run.returncode != 0:
            if run.returncode != UNREADABLE:
                _log.warning("a HEIC picture ended its decoder (status %d): %s", run.returncode, said[-_LINE:])
            raise OSError(said if run.returncode == UNREADABLE else "its decoder failed")
        received.seek(0)
        return _read(received, size)


def _run(
    command: list[str], sent: BinaryIO, received: BinaryIO, complaint: BinaryIO
) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(  # noqa: S603
            command,
            stdin=sent,
            stdout=received,
            stderr=complaint,
            cwd=os.sep,
            env={},
            timeout=SECONDS,
            check=False,
            start_new_session=True,  # so that a Ctrl-C at a terminal is not for it
        )
    except subprocess.TimeoutExpired as error:
        raise OSError("it takes too long to decode") from error
    except OSError as error:
        raise NotStarted(f"no process decodes HEIC: {error}") from error


def _read(received: BinaryIO, size: Size) -> tuple[Image.Image, int]:
    """Return what the process wrote, which need not be what it should."""
    told = json.loads(received.readline(_LINE))
    mode, divisor = told["mode"], int(told["divisor"])
    width, height = (-(-side // max(1, divisor)) for side in size)
    if mode not in MODES or told["size"] != [width, height]:
        raise OSError("it says two sizes")
    return Image.frombytes(mode, (width, height), received.read(_BYTES_A_PIXEL * width * height)), divisor


@contextmanager
def _in_memory() -> Iterator[BinaryIO]:
    """Yield a file that is in memory where the system has such files, and gone afterwards.

    Raises:
        NotStarted: there is no room for one.
    """
    try:
        file = _new_file()
    except OSError as error:
        raise NotStarted(f"no process decodes HEIC: {error}") from error
    with file:
        yield file


def _new_file() -> BinaryIO:
    if hasattr(os, "memfd_create"):  # not on macOS
        return os.fdopen(os.memfd_create("impasto"), "w+b", buffering=0)
    return cast("BinaryIO", tempfile.TemporaryFile(buffering=0))
