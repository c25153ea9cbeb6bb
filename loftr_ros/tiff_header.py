"""Size of a TIFF by its header. Pillow knows only some kinds of its pixels, OpenCV others."""

from __future__ import annotations

import struct
from dataclasses import dataclass

STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _SAMPLES = 256, 257, 258, 259, 277
_TYPES = {3: "H", 4: "I", 16: "Q"}  # SHORT, LONG, LONG8
# Largest expansion by compression: none, LZW (a code of 9 bits for up to 4 KiB), deflate (two codes), PackBits.
_RATIOS = {1: 1, 5: 4096, 8: 1032, 32946: 1032, 32773: 128}
_SLACK = 64 * 1024  # rows that the last strip lacks, which decoders tolerate


@dataclass(frozen=True)
class TiffHeader:
    """What the first image of a file claims: width, height, bits of a number, numbers of a pixel, and compression."""

    width: int
    height: int
    bits: int
    samples: int
    compression: int

    def may_be_in(self, size: int) -> bool:
        """Return whether a file of this many bytes may expand to the pixels."""
        wanted = self.width * self.height * self.samples * self.bits // 8
        ratio = _RATIOS.get(self.compression)
        return ratio is None or wanted <= ratio * size + _SLACK


def tiff_header(data: bytes) -> TiffHeader | None:
    """Read the header of a TIFF or BigTIFF; None if it is damaged."""
    order = "<" if data.startswith(b"II") else ">"
    try:
        tags = _tags(data, order, is_big=data[2:4] in (b"+\0", b"\0+"))
    except (struct.error, OverflowError):
        return None
    if not (tags.get(_WIDTH) and tags.get(_HEIGHT)):
        return None
    return TiffHeader(
        width=tags[_WIDTH],
        height=tags[_HEIGHT],
        bits=tags.get(_BITS, 1),
        samples=tags.get(_SAMPLES, 1),
        compression=tags.get(_COMPRESSION, 1),
    )


def _tags(data: bytes, order: str, *, is_big: bool) -> dict[int, int]:
    """Return the first value of each integer tag of the first image."""
    start, count_type, offset_type = (8, "Q", "Q") if is_big else (4, "H", "I")
    (offset,) = struct.unpack_from(order + offset_type, data, start)
    (count,) = struct.unpack_from(order + count_type, data, offset)
    entry, field = struct.Struct(f"{order}HH{offset_type}"), struct.calcsize(f"={offset_type}")
    offset += struct.calcsize(f"={count_type}")
    tags = {}
    for at in range(offset, min(offset + count * (entry.size + field), len(data)), entry.size + field):
        tag, kind, values = entry.unpack_from(data, at)
        if kind in _TYPES:
            value = struct.Struct(order + _TYPES[kind])
            is_inside = values * value.size <= field
            place = at + entry.size if is_inside else struct.unpack_from(order + offset_type, data, at + entry.size)[0]
            tags[tag] = value.unpack_from(data, place)[0]
    return tags
