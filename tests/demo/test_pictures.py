from __future__ import annotations

import struct

import pytest

from claudegpt_pkg.demo.pictures import describe_picture

PNG = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + struct.pack(">II", 640, 480)
GIF = b"GIF89a" + struct.pack("<HH", 320, 200)
JPEG = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x11\x08" + struct.pack(">HH", 30, 40) + b"\x03"


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (PNG, "image/png", "a PNG image of 640×480 (24 bytes)"),
        (GIF, "image/gif", "a GIF image of 320×200 (10 bytes)"),
        (JPEG, "image/jpeg", "a JPEG image of 40×30 (18 bytes)"),
        (b"RIFF" + b"x" * 4000, "image/webp", "a WEBP image (4 kB)"),
        (b"%PDF-1.7", "application/pdf", "a PDF file (8 bytes)"),
        (PNG[:12], "image/png", "a PNG image (12 bytes)"),
        (JPEG[:9], "image/jpeg", "a JPEG image (9 bytes)"),
        (b"", "image/png", "a PNG image (0 bytes)"),
    ],
)
def test_a_picture_is_described_by_its_first_bytes(data: bytes, kind: str, words: str) -> None:
    assert describe_picture(data, kind) == words


def test_a_named_file_is_called_by_its_name() -> None:
    assert describe_picture(b"%PDF", "application/pdf", "bill.pdf") == "`bill.pdf`, a PDF file (4 bytes)"
