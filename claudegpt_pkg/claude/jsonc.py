"""JSON with comments, as editors keep their settings: read it, and change single members of the outermost object.

    read('{"a": 1, // one\n}')              → {"a": 1}
    set_member(text, "a", 2)                 → the same text with only that value changed
    remove_member(text, "a")                 → the same text without that member

Everything else stays as it is: comments, order, indentation, trailing commas. Raises ValueError for a text that is no
object.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*|/\*.*?\*/)|(?P<string>"(?:[^"\\\n]|\\.)*")|(?P<mark>[{}\[\]:,])|(?P<other>[^\s{}\[\]:,"/]+)""",
    re.S,
)
LINE_COMMENT = re.compile(r"[ \t]*(//[^\n]*|/\*[^\n]*?\*/[ \t]*(?=\n))")
INDENT = "    "


@dataclass(frozen=True)
class Token:
    kind: str
    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Member:
    """One member of the outermost object: its key, and where the member and its value stand in the text."""

    key: str
    start: int
    value_start: int
    end: int


@dataclass(frozen=True)
class Outline:
    """Where the outermost object begins and ends, its members, and the end of the comma behind the last one, if any."""

    start: int
    end: int
    members: list[Member]
    trailing_comma: int | None


def read(text: str) -> dict[str, Any]:
    """The object. An empty text is an empty object, as for an editor."""
    words = [token.text for token in _tokens(text)]
    following = [*words[1:], ""]
    plain = "".join(
        word for word, after in zip(words, following, strict=False) if not (word == "," and after in ("}", "]"))
    )
    value = json.loads(plain or "{}")
    if not isinstance(value, dict):
        raise ValueError("it is not a JSON object")
    return value


def set_member(text: str, key: str, value: Any) -> str:
    """The text with this value for a key of the outermost object."""
    if not text.strip():
        text = "{}\n"
    read(text)
    outline = _outline(text)
    written = json.dumps(value, ensure_ascii=False, indent=len(INDENT)).replace("\n", f"\n{INDENT}")
    for member in reversed(outline.members):  # of a key that stands twice, the last one counts
        if member.key == key:
            return text[: member.value_start] + written + text[member.end :]
    line = f"{json.dumps(key)}: {written}"
    if not outline.members:
        inside = text[outline.start + 1 : outline.end - 1].rstrip()
        return f"{text[: outline.start + 1]}{inside}\n{_indent(text, outline)}{line}\n{text[outline.end - 1 :]}"
    place = outline.trailing_comma or outline.members[-1].end
    comma = "" if outline.trailing_comma else ","
    behind = "," if outline.trailing_comma else ""
    comment = LINE_COMMENT.match(text, place)  # it belongs to the last member
    rest = comment.end() if comment else place
    return f"{text[:place]}{comma}{text[place:rest]}\n{_indent(text, outline)}{line}{behind}{text[rest:]}"


def remove_member(text: str, key: str) -> str:
    """The text without this key of the outermost object."""
    if not text.strip():
        return text
    read(text)
    outline = _outline(text)
    for number, member in enumerate(outline.members):
        if member.key != key:
            continue
        if number + 1 < len(outline.members):
            return _without(text, member.start, _comma_behind(text, member.end))
        if outline.trailing_comma:
            return _without(text, member.start, outline.trailing_comma)
        if number:
            # The comma before the last member goes, and what stands between stays: it may be a comment.
            comma = _comma_behind(text, outline.members[number - 1].end)
            return _without(text[: comma - 1] + text[comma:], member.start - 1, member.end - 1)
        return _without(text, member.start, member.end)
    return text


def _without(text: str, start: int, end: int) -> str:
    """The text without this span, and without its line if nothing else stands there."""
    before = text[:start].rstrip(" \t")
    after = text[end:].lstrip(" \t")
    if before.endswith("\n") and after.startswith(("\n", "\r\n")):
        return before.removesuffix("\n").removesuffix("\r") + after
    return text[:start] + text[end:]


def _comma_behind(text: str, place: int) -> int:
    """The end of the comma that follows `place`."""
    for token in _tokens(text, place):
        if token.text == ",":
            return token.end
    raise ValueError("a comma is missing")


def _indent(text: str, outline: Outline) -> str:
    """The indentation of the first member."""
    if not outline.members:
        return INDENT
    line = text[text.rfind("\n", 0, outline.members[0].start) + 1 : outline.members[0].start]
    return line if line and not line.strip() else INDENT


def _outline(text: str) -> Outline:
    """Find the members of the outermost object. The text is known to be an object."""
    tokens = list(_tokens(text))
    start, depth = tokens[0].start, 0
    members: list[Member] = []
    key: Token | None = None
    value_start, value_end, comma = 0, 0, None
    for token in tokens:
        if token.text in ("{", "["):
            depth += 1
        if depth == 1 and token.text == ":":
            value_start = 0
        elif depth == 1 and token.text in (",", "}"):
            if key is not None:
                members.append(Member(str(json.loads(key.text)), key.start, value_start, value_end))
                key = None
            comma = token.end if token.text == "," else comma
        elif depth >= 1 and token.start != start:
            if key is None:
                key, comma = token, None
            else:
                value_start, value_end = value_start or token.start, token.end
        if token.text in ("}", "]"):
            depth -= 1
            value_end = token.end
            if depth == 0:
                return Outline(start, token.end, members, comma)
    raise ValueError("the object does not end")


def _tokens(text: str, start: int = 0) -> Iterator[Token]:
    """The tokens from `start` on, without white space and comments."""
    place = start + (text.startswith("\ufeff", start) and 1)
    while place < len(text):
        match = TOKEN.match(text, place)
        if not match:
            raise ValueError(f"it is not JSON at character {place}")
        place = match.end()
        if match.lastgroup != "space":
            yield Token(str(match.lastgroup), match[0], match.start(), match.end())
