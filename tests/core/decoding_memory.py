"""What decoding a picture takes of a process's memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_SCRIPT = """
import re, sys
from pathlib import Path
from impasto import images

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])

data = Path(sys.argv[1]).read_bytes()
before = peak()
print(images.PictureFile(data).decode((1280, 960)).shape, peak() - before)
"""


def shape_and_kilobytes(file: Path) -> tuple[str, int]:
    """Decode a file to 1280x960 px in a process of its own. Return the shape, and by how much its memory has grown."""
    run = subprocess.run([sys.executable, "-c", _SCRIPT, file], capture_output=True, text=True, check=True)
    *shape, kilobytes = run.stdout.split()
    return "".join(shape), int(kilobytes)
