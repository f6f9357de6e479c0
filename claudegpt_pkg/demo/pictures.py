"""Describes a picture or file in words, from its first bytes: kind, width and height, size. Nothing is decoded."""

from __future__ import annotations

import struct
from collections.abc import Callable

Size = tuple[int, int]


def describe_picture(data: bytes, kind: str, filename: str | None = None) -> str:
    """("image/png", bytes) → "a PNG image of 640×480 (12 kB)"."""
    noun = _name_kind(kind)
    measure = next((read for magic, read in MEASURES.items() if data.startswith(magic)), None)
    size = measure(data) if measure else None
    shown = [noun, *([f"of {size[0]}×{size[1]}"] if size else []), f"({_format_size(len(data))})"]
    return " ".join([f"`{filename}`,"] * bool(filename) + shown)


def _name_kind(kind: str) -> str:
    family, _, name = kind.partition("/")
    word = name.upper()
    noun = f"{word} image" if family == "image" else f"{word} file"
    return f"{'an' if word[:1] in 'AEFHILMNORSX' else 'a'} {noun}"


def _format_size(size: int) -> str:
    return f"{size} bytes" if size < 1000 else f"{size / 1000:.0f} kB"


def _png_size(data: bytes) -> Size | None:
    return struct.unpack(">II", data[16:24]) if len(data) >= 24 else None


def _gif_size(data: bytes) -> Size | None:
    return struct.unpack("<HH", data[6:10]) if len(data) >= 10 else None


def _jpeg_size(data: bytes) -> Size | None:
    """Read the size from the first frame header (SOF0–SOF15 except the three codes that mean something else)."""
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4])
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        at += 2 + length
    return None


MEASURES: dict[bytes, Callable[[bytes], Size | None]] = {
    b"\x89PNG\r\n\x1a\n": _png_size,
    b"GIF8": _gif_size,
    b"\xff\xd8": _jpeg_size,
}
