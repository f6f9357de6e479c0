"""Recorded upstream streams, kept as files in tests/fixtures, and the ways in which they may arrive.

    for chunk in arriving("refusal", whole): …        one piece
    for chunk in arriving("refusal", bytewise): …     a byte at a time
    for chunk in arriving("refusal", cut_at(5)): …    five events, then nothing

A bug in translation gets its stream as a fixture before its fix. Ids and encrypted contents are made up; the shapes
and the order are what such a server sends.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

HERE = Path(__file__).parents[1] / "fixtures"
Way = Callable[[bytes], Iterator[bytes]]
BLANK_LINE = re.compile(rb"\r\n\r\n|\n\n|\r\r")


def names() -> list[str]:
    """Every fixture."""
    return sorted(path.stem for path in HERE.glob("*.sse"))


def arriving(name: str, way: Way) -> Iterator[bytes]:
    return way((HERE / f"{name}.sse").read_bytes())


def event_count(name: str) -> int:
    """How many events the stream holds, comments included."""
    return len(_ends((HERE / f"{name}.sse").read_bytes()))


def whole(stream: bytes) -> Iterator[bytes]:
    yield stream


def bytewise(stream: bytes) -> Iterator[bytes]:
    for place in range(len(stream)):
        yield stream[place : place + 1]


def cut_at(count: int) -> Way:
    """Only the first `count` events."""

    def way(stream: bytes) -> Iterator[bytes]:
        yield stream[: [0, *_ends(stream)][count]]

    return way


def _ends(stream: bytes) -> list[int]:
    """Where each event ends, its blank line included; the last may lack that."""
    ends = [match.end() for match in BLANK_LINE.finditer(stream)]
    return ends if ends and ends[-1] == len(stream) else [*ends, len(stream)]
