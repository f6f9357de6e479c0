"""Text, numbers and JSON that another program wrote, made fit for use here.

Servers, login files and caches on disk may hold anything: escape sequences that steer a terminal, bidirectional marks
that turn a line around, NUL, line breaks, half a surrogate pair, a name of a million letters, JSON nested a thousand
levels deep. All of it passes through this module before it reaches the screen, an environment, a settings file, a
header or the status line.

    read_name("gpt-6.1-sol")        → "gpt-6.1-sol"
    read_name("gpt\\x1b]52;c;…")     → None: the caller leaves the row out, or names the field in a sentence
    one_line("Bad\\nrequest\\x1b[2J")  → "Bad request�[2J"
    read_json(b"[[[[…")             → ValueError, never RecursionError
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from .formats import LONGEST_NAME, printable, to_one_line

TEXT_LIMIT = 200  # characters of another program's sentence within one of ours
LARGEST = 1e15  # larger numbers are not tokens, percents, seconds or milliseconds since 1970


def read_name(value: object, limit: int = LONGEST_NAME) -> str | None:
    """The name itself if it can stand anywhere: printable (`formats.printable`), not blank, at most `limit` long."""
    name = printable(value)
    return name if name and name.strip() and len(name) <= limit else None


def read_word(value: object) -> str | None:
    """A name that can also stand in an HTTP header: visible ASCII without spaces."""
    return value if isinstance(value, str) and re.fullmatch(r"[!-~]{1,200}", value) else None


def read_handle(value: object) -> str | None:
    """Text that is only ever sent back to who sent it, never shown: any length up to 16,000 visible ASCII signs."""
    return value if isinstance(value, str) and re.fullmatch(r"[!-~]{1,16000}", value) else None


def one_line(words: object, limit: int = TEXT_LIMIT) -> str:
    """Another program's sentence as a part of ours: on one line, cut behind `limit` characters."""
    return to_one_line(words if isinstance(words, str) else str(words), limit)


def read_json(body: bytes | str) -> Any:
    """The value of a JSON text. Raises ValueError for anything else, wrong bytes and too deep nesting included."""
    try:
        return json.loads(body)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def read_object(body: bytes | str) -> dict[str, Any] | None:
    """The JSON object that a text holds; None if the text is not one."""
    try:
        value = read_json(body)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def as_object(value: object) -> dict[str, Any]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[Any]:
    """The value if it is an array, else an empty one."""
    return value if isinstance(value, list) else []


def read_number(value: object) -> float | None:
    """A finite number, also if it is written as text ("12.5"); None for anything else, booleans included."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value[:40] if isinstance(value, str) else value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and abs(number) <= LARGEST else None


def read_count(value: object) -> int | None:
    """A whole number above zero, as tokens or seconds are counted; None for anything else."""
    number = read_number(value)
    return int(number) if number is not None and number >= 1 else None
