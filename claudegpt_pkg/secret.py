"""Secrets that print as ***, and the removal of secrets from text that others wrote.

    Secret("sk-…")           # prints as ***; `reveal()` is the only way to its text
    mask_secrets(text)       # foreign text, with *** for each secret this process has held, whole or in part

Servers and gateways quote what they refuse: a wrong key, a header, a token, whole or with its middle masked. Foreign
text reaches a user only in an error or in a trace, so errors.py and records/trace.py mask it. Secrets are not
recognised by their looks: the text is searched for the secrets that this process holds, and for longer pieces of them,
in one pass however many there are, because traces are masked while answers stream.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

MASK = "***"
PIECE = 8  # characters: a shorter piece gives nothing away and would be found in ordinary words
# In every PIECE, one part of this length begins at a multiple of STRIDE, so only those places are looked up.
PART = 4
STRIDE = PIECE - PART + 1


@dataclass(frozen=True)
class _Held:
    """Every secret that this process holds, with all its pieces and parts: a few hundred kB for a login's tokens."""

    whole: set[str] = field(default_factory=set)
    pieces: set[str] = field(default_factory=set)
    parts: set[str] = field(default_factory=set)


_held = _Held()


@dataclass(frozen=True)
class Secret:
    """Text that prints as ***. `reveal()` is the only way to it."""

    _text: str = field(repr=False)

    def __post_init__(self) -> None:
        register_secret(self._text)

    def __str__(self) -> str:
        return MASK

    def reveal(self) -> str:
        return self._text


def register_secret(text: str) -> None:
    """Mask this text from now on, as long as the process lasts. Text shorter than PIECE is not masked."""
    if len(text) < PIECE or text in _held.whole:
        return
    _held.parts.update(_runs(text, PART))
    _held.pieces.update(_runs(text, PIECE))
    _held.whole.add(text)


def _runs(text: str, length: int) -> Iterator[str]:
    return (text[at : at + length] for at in range(len(text) - length + 1))


def mask_secrets(text: str) -> str:
    """`text` with *** for every secret and every piece of one."""
    kept: list[str] = []
    at = 0
    for begin, end in _find_pieces(text):
        kept += text[at:begin], MASK
        at = end
    return "".join([*kept, text[at:]])


def mask_whole_secrets(data: bytes) -> bytes:
    """`data` with *** for every whole secret. For large bodies, in which no server has masked a part."""
    for secret in tuple(_held.whole):
        data = data.replace(secret.encode(), MASK.encode())
    return data


def _find_pieces(text: str) -> Iterator[tuple[int, int]]:
    """The ranges (begin, end) in which secrets and pieces of secrets stand; overlapping ones are joined."""
    begin = end = 0
    for at in _piece_begins(text):
        if at >= end:
            if end:
                yield begin, end
            begin = at
        end = at + PIECE
    if end:
        yield begin, end


def _piece_begins(text: str) -> Iterator[int]:
    """The places at which a piece of a secret begins, in order."""
    parts, pieces = _held.parts, _held.pieces
    for part in [at for at in range(0, len(text), STRIDE) if text[at : at + PART] in parts]:
        for at in range(max(part - STRIDE + 1, 0), part + 1):
            if text[at : at + PIECE] in pieces:
                yield at
