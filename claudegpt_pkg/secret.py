"""Secrets, which print neither themselves nor out of other people's mouths.

    Secret("sk-…")             # *** wherever it is printed; `reveal()` is the only way to its text
    without_secrets(words)     # somebody else's words, with *** for each secret this process has ever held

Servers and gateways quote what they refuse: a wrong key, a header, a token, whole or with its middle masked. What
foreign words become in this program is one of our errors or a part of a trace, so these two ask here (errors.py,
trace.py). Nothing is told by its looks: what is looked for are the very secrets, and longer pieces of them. In one pass
over the words, however many there are: a trace's are looked through while answers stream.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

MASK = "***"
PIECE = 8  # characters; fewer give nothing away, and would be found in ordinary words
# Of any PIECE, one part of this length begins at a multiple of STRIDE: nothing else need be looked up.
PART = 4
STRIDE = PIECE - PART + 1


@dataclass(frozen=True)
class Held:
    """Every secret, and every piece and part of one: a few hundred kB for all the tokens of a login."""

    whole: set[str] = field(default_factory=set)
    pieces: set[str] = field(default_factory=set)
    parts: set[str] = field(default_factory=set)


_held = Held()


@dataclass(frozen=True)
class Secret:
    """Text that does not print itself. `reveal()` is the only way to it."""

    _text: str = field(repr=False)

    def __post_init__(self) -> None:
        hold(self._text)

    def __str__(self) -> str:
        return MASK

    def reveal(self) -> str:
        return self._text


def hold(text: str) -> None:
    """From now on a secret, as long as the process lasts; one too short to be one is none."""
    if len(text) < PIECE or text in _held.whole:
        return
    _held.parts.update(runs(text, PART))
    _held.pieces.update(runs(text, PIECE))
    _held.whole.add(text)


def runs(text: str, length: int) -> Iterator[str]:
    return (text[at : at + length] for at in range(len(text) - length + 1))


def without_secrets(words: str) -> str:
    """Somebody else's words, without any secret and any piece of one."""
    kept: list[str] = []
    at = 0
    for begin, end in _found(words):
        kept += words[at:begin], MASK
        at = end
    return "".join([*kept, words[at:]])


def without_whole_secrets(data: bytes) -> bytes:
    """The same for much text, in which nobody has masked anything."""
    for secret in tuple(_held.whole):
        data = data.replace(secret.encode(), MASK.encode())
    return data


def _found(words: str) -> Iterator[tuple[int, int]]:
    """Where secrets and pieces of them stand, from and to; what overlaps is one."""
    begin = end = 0
    for at in _begins(words):
        if at >= end:
            if end:
                yield begin, end
            begin = at
        end = at + PIECE
    if end:
        yield begin, end


def _begins(words: str) -> Iterator[int]:
    """Where a piece begins, in order."""
    parts, pieces = _held.parts, _held.pieces
    for part in [at for at in range(0, len(words), STRIDE) if words[at : at + PART] in parts]:
        for at in range(max(part - STRIDE + 1, 0), part + 1):
            if words[at : at + PIECE] in pieces:
                yield at
