"""What a result says beside its pixels: what it carries of the photo's own metadata, and that an algorithm made it.

Of the photo's EXIF some tags are carried over, and no others: whatever a camera or program comes to write, it is not
passed on before somebody has looked at what it is. Its XMP is never carried over, see decision 27.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from impasto import __version__, exif
from impasto.exif import ASCII, BYTE, LONG, RATIONAL, SHORT, SRATIONAL, UNDEFINED, UTF8, Directory, Value

SOFTWARE = f"Impasto {__version__}"

EDITED_BY_A_TRAINED_MODEL = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
"""IPTC's code for a picture that was edited with a trained model; see decision 27."""

MAX_TEXT = 2000  # bytes of a text that is carried over; a longer one is left out

_XMP = f"""<?xpacket begin="\N{ZERO WIDTH NO-BREAK SPACE}" id="W5M0MpCehiHzreSzNTczkc9d"?>\
<x:xmpmeta xmlns:x="adobe:ns:meta/">\
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">\
<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" \
xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">\
<xmp:CreatorTool>{SOFTWARE}</xmp:CreatorTool>\
<Iptc4xmpExt:DigitalSourceType>{EDITED_BY_A_TRAINED_MODEL}</Iptc4xmpExt:DigitalSourceType>\
</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="r"?>"""
# Whole elements, not attributes: both mean the same, but programs that search the bytes look for these.

MARK = _XMP.encode()
"""The XMP packet that says that a picture was made by an algorithm, and by which program."""


class MetadataPolicy(Enum):
    """What of a photo's own metadata its result carries."""

    NONE = "none"
    WITHOUT_LOCATION = "without_location"
    ALL = "all"


DEFAULT_POLICY = MetadataPolicy.WITHOUT_LOCATION


@dataclass(frozen=True)
class Metadata:
    """What a picture file says beside its pixels.

    Attributes:
        exif: a block, with its prefix; empty for none.
        xmp: a packet; empty for none.
    """

    exif: bytes = b""
    xmp: bytes = b""


NOTHING = Metadata()

Kind = tuple[tuple[int, ...], int]
"""The types that a tag's value may be of, and the most items that it may have."""

_TEXT: Kind = ((ASCII, UTF8), MAX_TEXT)
_STAMP: Kind = ((ASCII,), 32)
_NUMBER: Kind = ((SHORT, LONG), 1)
_RATIO: Kind = ((RATIONAL, SRATIONAL), 1)
_BYTE: Kind = ((BYTE, UNDEFINED), 1)

_COPYRIGHT = 0x8298  # two texts, the photographer's and the editor's
_WIDTH, _HEIGHT = 0xA002, 0xA003

# What is true of every result, or has to be there by the standard (CIPA DC-008).
_OF_ALL: Mapping[int, Value] = {
    exif.ORIENTATION: exif.short(1),
    0x011A: exif.ratio(72),  # XResolution
    0x011B: exif.ratio(72),  # YResolution
    0x0128: exif.short(2),  # ResolutionUnit: an inch
    0x0131: exif.text(SOFTWARE),  # Software
    0x0213: exif.short(1),  # YCbCrPositioning: centred
}
_TAKEN_OF_ALL: Mapping[int, Value] = {
    0x9000: Value(UNDEFINED, b"0232"),  # ExifVersion
    0x9101: Value(UNDEFINED, b"\1\2\3\0"),  # ComponentsConfiguration: Y, Cb, Cr
    0xA000: Value(UNDEFINED, b"0100"),  # FlashpixVersion
    0xA001: exif.short(1),  # ColorSpace: sRGB
}
_PLACE_OF_ALL: Mapping[int, Value] = {0x00: Value(BYTE, b"\2\3\0\0")}  # GPSVersionID

_MAIN: Mapping[int, Kind] = {
    0x010E: _TEXT,  # ImageDescription
    0x010F: _TEXT,  # Make
    0x0110: _TEXT,  # Model
    0x0132: _STAMP,  # DateTime
    0x013B: _TEXT,  # Artist
    _COPYRIGHT: _TEXT,
}
_TAKEN: Mapping[int, Kind] = {
    0x829A: _RATIO,  # ExposureTime
    0x829D: _RATIO,  # FNumber
    0x8822: _NUMBER,  # ExposureProgram
    0x8827: ((SHORT,), 3),  # PhotographicSensitivity
    0x8830: _NUMBER,  # SensitivityType
    0x8831: _NUMBER,  # StandardOutputSensitivity
    0x8832: _NUMBER,  # RecommendedExposureIndex
    0x8833: _NUMBER,  # ISOSpeed
    0x9003: _STAMP,  # DateTimeOriginal
    0x9004: _STAMP,  # DateTimeDigitized
    0x9201: _RATIO,  # ShutterSpeedValue
    0x9202: _RATIO,  # ApertureValue
    0x9203: _RATIO,  # BrightnessValue
    0x9204: _RATIO,  # ExposureBiasValue
    0x9205: _RATIO,  # MaxApertureValue
    0x9206: _RATIO,  # SubjectDistance
    0x9207: _NUMBER,  # MeteringMode
    0x9208: _NUMBER,  # LightSource
    0x9209: _NUMBER,  # Flash
    0x920A: _RATIO,  # FocalLength
    0x9290: _STAMP,  # SubSecTime
    0x9291: _STAMP,  # SubSecTimeOriginal
    0x9292: _STAMP,  # SubSecTimeDigitized
    0xA402: _NUMBER,  # ExposureMode
    0xA403: _NUMBER,  # WhiteBalance
    0xA404: _RATIO,  # DigitalZoomRatio
    0xA405: _NUMBER,  # FocalLengthIn35mmFilm
    0xA406: _NUMBER,  # SceneCaptureType
    0xA432: ((RATIONAL,), 4),  # LensSpecification
    0xA433: _TEXT,  # LensMake
    0xA434: _TEXT,  # LensModel
}
_TIME_ZONE: Mapping[int, Kind] = {  # tells the place, though not closely
    0x9010: _STAMP,  # OffsetTime
    0x9011: _STAMP,  # OffsetTimeOriginal
    0x9012: _STAMP,  # OffsetTimeDigitized
}
_PLACE: Mapping[int, Kind] = {
    0x01: _STAMP,  # GPSLatitudeRef
    0x02: ((RATIONAL,), 3),  # GPSLatitude
    0x03: _STAMP,  # GPSLongitudeRef
    0x04: ((RATIONAL,), 3),  # GPSLongitude
    0x05: _BYTE,  # GPSAltitudeRef
    0x06: _RATIO,  # GPSAltitude
    0x07: ((RATIONAL,), 3),  # GPSTimeStamp
    0x0C: _STAMP,  # GPSSpeedRef
    0x0D: _RATIO,  # GPSSpeed
    0x10: _STAMP,  # GPSImgDirectionRef
    0x11: _RATIO,  # GPSImgDirection
    0x12: _STAMP,  # GPSMapDatum
    0x17: _STAMP,  # GPSDestBearingRef
    0x18: _RATIO,  # GPSDestBearing
    0x1D: _STAMP,  # GPSDateStamp
    0x1F: _RATIO,  # GPSHPositioningError
}


def carried(block: bytes, policy: MetadataPolicy, width: int, height: int) -> bytes:
    """Return the EXIF block of a photo's result; empty where it has nothing to carry.

    Its pixels are upright and sRGB, and so it says. Of a block that is damaged, or was made to do harm, what can be
    read safely counts, and nothing else.

    Args:
        block: the photo's.
        policy: what of it is wanted.
        width, height: of the result, px.
    """
    if policy is MetadataPolicy.NONE or not block:
        return b""
    found = exif.read(block)
    with_place = policy is MetadataPolicy.ALL
    main = _picked(found, _MAIN)
    taken = _picked(found.directory(exif.EXIF_DIRECTORY), {**_TAKEN, **_TIME_ZONE} if with_place else _TAKEN)
    place = _picked(found.directory(exif.GPS_DIRECTORY), _PLACE) if with_place else {}
    if not (main or taken or place):
        return b""
    sides = {_WIDTH: exif.long(width), _HEIGHT: exif.long(height)}
    return exif.write({**main, **_OF_ALL}, {**taken, **_TAKEN_OF_ALL, **sides}, place and {**place, **_PLACE_OF_ALL})


def _picked(directory: Directory, wanted: Mapping[int, Kind]) -> dict[int, Value]:
    """Return those of a directory's values that are wanted, and are what they should be."""
    found = {}
    for tag, (types, most) in wanted.items():
        value = directory.value(tag, types, most)
        if value is not None and value.type in _TEXT[0]:
            value = _text(value.data, parts=2 if tag == _COPYRIGHT else 1)
        if value is not None:
            found[tag] = value
    return found


def _text(data: bytes, parts: int) -> Value | None:
    """Return a text without what hides behind its end; None where nothing is left. UTF-8 passes for ASCII, as ever."""
    words = b"\0".join(data.split(b"\0")[:parts]).rstrip(b"\0 ")
    return Value(ASCII, words + b"\0") if words else None
