"""EXIF blocks made entry by entry, in either byte order, for what programs do not write: lies, loops, maker's notes."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.support import gradient

Entry = tuple[int, int, int, bytes]
"""Tag, type, count, and the value as it is stored; one of more than 4 bytes is put behind the directory."""

_POINTERS = {"exif": 0x8769, "gps": 0x8825}


class Maker:
    """Makes entries in one byte order: `<` or `>`."""

    def __init__(self, order: str) -> None:
        self.order = order

    def text(self, tag: int, words: str) -> Entry:
        data = words.encode() + b"\0"
        return tag, 2, len(data), data

    def shorts(self, tag: int, *numbers: int) -> Entry:
        return tag, 3, len(numbers), struct.pack(f"{self.order}{len(numbers)}H", *numbers)

    def ratios(self, tag: int, *numbers: int) -> Entry:
        """Return a RATIONAL of numerators and denominators in turns."""
        return tag, 5, len(numbers) // 2, struct.pack(f"{self.order}{len(numbers)}I", *numbers)

    def raw(self, tag: int, data: bytes, type: int = 7) -> Entry:
        return tag, type, len(data), data

    def pointer(self, tag: int, offset: int) -> Entry:
        return tag, 4, 1, struct.pack(f"{self.order}I", offset)

    def block(
        self,
        main: Sequence[Entry],
        *,
        exif: Sequence[Entry] = (),
        gps: Sequence[Entry] = (),
        thumbnail: bytes = b"",
    ) -> bytes:
        """Return a block of these directories, and a second main one with the thumbnail."""
        subs = {"exif": exif, "gps": gps}
        pointers = [self.pointer(_POINTERS[name], 0) for name, entries in subs.items() if entries]
        place = 8 + len(self.directory([*main, *pointers], 8))
        pointers, parts = [], []
        for name, entries in subs.items():
            if entries:
                pointers.append(self.pointer(_POINTERS[name], place))
                parts.append(self.directory(entries, place))
                place += len(parts[-1])
        if thumbnail:
            end = place + 2 + 2 * 12 + 4
            where = [self.pointer(0x0201, end), self.pointer(0x0202, len(thumbnail))]
            parts += [self.directory(where, place), thumbnail]
        directory = self.directory([*main, *pointers], 8, following=place if thumbnail else 0)
        return b"Exif\0\0" + self.head() + b"".join([directory, *parts])

    def head(self, offset: int = 8) -> bytes:
        magic = b"II*\0" if self.order == "<" else b"MM\0*"
        return magic + struct.pack(f"{self.order}I", offset)

    def directory(self, entries: Sequence[Entry], offset: int, *, following: int = 0) -> bytes:
        """Return a directory that lies at this offset, behind the head, and names the one that follows."""
        place = offset + 2 + 12 * len(entries) + 4
        table, values = [struct.pack(f"{self.order}H", len(entries))], b""
        for tag, kind, count, data in sorted(entries):
            field = data.ljust(4, b"\0")
            if len(data) > 4:
                field = struct.pack(f"{self.order}I", place + len(values))
                values += data + b"\0" * (len(data) % 2)
            table.append(struct.pack(f"{self.order}HHI", tag, kind, count) + field)
        return b"".join([*table, struct.pack(f"{self.order}I", following), values])


def phone(order: str = "<") -> bytes:
    """Return the block of a phone's photo, which tells more than its owner may think; it is stored on its side."""
    make = Maker(order)
    main = [
        make.text(0x010E, "A hill at dusk"),
        make.text(0x010F, "Camera Works"),
        make.text(0x0110, "Phone 9"),
        make.shorts(0x0112, 6),
        make.text(0x0131, "the phone's own program"),
        make.text(0x0132, "2024:05:06 08:00:00"),
        make.text(0x013B, "Ada Lovelace"),
        make.text(0x013C, "adas-computer"),  # HostComputer
        make.text(0x8298, "Ada Lovelace\0The Editor"),
        make.raw(0x9C9C, "kept as a comment".encode("utf-16-le"), type=1),  # XPComment
    ]
    exif = [
        make.ratios(0x829A, 1, 250),
        make.ratios(0x829D, 28, 10),
        make.shorts(0x8827, 400),
        make.raw(0x9000, b"0230"),
        make.text(0x9003, "2024:05:06 07:08:09"),
        make.text(0x9011, "+02:00"),
        make.text(0x9291, "123"),
        make.ratios(0x920A, 50, 1),
        make.raw(0x927C, b"MAKERNOTE" * 30),
        make.raw(0x9286, b"ASCII\0\0\0USERCOMMENT"),
        make.text(0xA420, "IMAGE-UNIQUE-ID"),
        make.text(0xA430, "CAMERA-OWNER"),
        make.text(0xA431, "BODY-SERIAL"),
        make.ratios(0xA432, 24, 1, 70, 1, 28, 10, 28, 10),
        make.text(0xA434, "24-70 mm"),
        make.text(0xA435, "LENS-SERIAL"),
    ]
    gps = [
        make.raw(0x00, b"\2\2\0\0", type=1),
        make.text(0x01, "N"),
        make.ratios(0x02, 52, 1, 31, 1, 1250, 100),
        make.text(0x03, "E"),
        make.ratios(0x04, 13, 1, 24, 1, 0, 1),
        make.raw(0x05, b"\0", type=1),
        make.ratios(0x06, 345, 10),
        make.raw(0x1C, b"ASCII\0\0\0AREAINFORMATION"),
    ]
    return make.block(main, exif=exif, gps=gps, thumbnail=b"\xff\xd8THUMBNAIL" * 20)


SECRETS = (
    "the phone's own program",
    "adas-computer",
    "MAKERNOTE",
    "USERCOMMENT",
    "IMAGE-UNIQUE-ID",
    "CAMERA-OWNER",
    "BODY-SERIAL",
    "LENS-SERIAL",
    "AREAINFORMATION",
    "THUMBNAIL",
    "XMP-PLACE",
)
"""What a phone's photo says that no result does."""

XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><photoshop:City>XMP-PLACE</photoshop:City></x:xmpmeta>"


def photo(exif: bytes, format: str = "JPEG", *, width: int = 64, height: int = 48, xmp: bytes = XMP) -> bytes:
    """Return a picture file of this EXIF block and XMP packet."""
    image, file = Image.fromarray(gradient(width, height)), io.BytesIO()
    if format == "PNG":
        texts = PngInfo()
        texts.add_itxt("XML:com.adobe.xmp", xmp.decode())
        image.save(file, format, exif=exif, pnginfo=texts)
    else:
        image.save(file, format, exif=exif, xmp=xmp, quality=95)
    return file.getvalue()
