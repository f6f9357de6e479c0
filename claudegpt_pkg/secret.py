"""Secrets, which print neither themselves nor out of other people's mouths.

    Secret("sk-…")             # *** wherever it is printed; `reveal()` is the only way to its text
    without_secrets(words)     # somebody else's words, with *** for each secret this process has ever held

Servers and gateways quote what they refuse: a wrong key, a header, a token, whole or with its middle masked. What
foreign words become in this program is one of our errors or a part of a trace, so these two ask here (errors.py,
trace.py). Nothing is told by its looks: what is looked for are the very secrets, and longer pieces of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

MASK = "***"
PIECE = 8  # characters; fewer give nothing away, and would be found in ordinary words

_held: set[str] = set()


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
    if len(text) >= PIECE:
        _held.add(text)


def without_secrets(words: str) -> str:
    """A few of somebody else's words, without any secret and any piece of one."""
    for secret in tuple(_held):
        words = words.replace(secret, MASK)
    for secret in tuple(_held):
        words = _without_pieces(secret, words)
    return words


def without_whole_secrets(data: bytes) -> bytes:
    """The same for much text, in which nobody has masked anything."""
    for secret in tuple(_held):
        data = data.replace(secret.encode(), MASK.encode())
    return data


def _without_pieces(secret: str, words: str) -> str:
    kept: list[str] = []
    at = 0
    while at < len(words):
        end = _end_of_piece(secret, words, at)
        kept.append(MASK if end else words[at])
        at = end or at + 1
    return "".join(kept)


def _end_of_piece(secret: str, words: str, at: int) -> int:
    """Where the piece of the secret that begins here ends; 0 where none does."""
    end = at + PIECE
    if end > len(words) or words[at:end] not in secret:
        return 0
    while end < len(words) and words[at : end + 1] in secret:
        end += 1
    return end
