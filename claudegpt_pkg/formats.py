"""How numbers, money, times and foreign names are written for people. Pure; every room may use it.

format_number(272_000)            # 272k
format_dollars(0.042)             # $0.042
format_count(3, "turn")           # 3 turns
format_moment(resets_at, now)     # on Tue 24 Nov at 14:05
printable(model["id"])            # the name, or None if it cannot stand in a line of text

Times are local. A moment is given in seconds since 1970; `is_moment` tells one that a calendar can show.
"""

from __future__ import annotations

import re
import time

FAR = 1e11  # seconds since 1970: the year 5138. Milliseconds, which some servers send, lie beyond it
WEEKDAY_TELLS = 6 * 86_400  # seconds: within these, the name of a weekday can only mean one day
LONGEST_NAME = 200  # characters
_SPANS = ((86_400, "days"), (3600, "hours"), (60, "minutes"))
# Control characters except tab and line feed, halves of surrogate pairs, line separators, and what changes the
# direction of writing or are invisible. Joiners (U+200C, U+200D) are allowed: emoji and some scripts need them.
UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)


# Foreign text.


def printable(name: object) -> str | None:
    """`name` if it is text of one line that any terminal, settings file or environment can hold; else None.

    For names that a server sends, of a model, plan or account: what holds none is left out, not repaired, because a
    repaired name would name something else.
    """
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME:
        return None
    return name if name.isprintable() and not UNSEEN.search(name) else None


def to_one_line(text: str, most: int | None = None) -> str:
    """Foreign words on one line, nothing in them that steers a terminal; cut behind `most` characters."""
    line = " ".join(UNSEEN.sub("\ufffd", text[: 4 * most] if most else text).split())
    return f"{line[:most]}…" if most and len(line) > most else line


# Numbers.


def format_number(number: float) -> str:
    """950, 14.5k, 272k, 1.05M"""
    if number < 1000:
        return str(round(number))
    thousands = number / 1000
    if thousands < 99.95:
        return f"{thousands:.1f}k".replace(".0k", "k")
    return f"{thousands:.0f}k" if thousands < 999.5 else f"{number / 1e6:.2f}".rstrip("0").rstrip(".") + "M"


def format_dollars(cost: float) -> str:
    """$0, $0.0001, $0.042, $12.35: never $0 for something that costs."""
    if not cost:
        return "$0"
    return f"${cost:.2f}" if cost >= 0.1 else f"${cost:.4f}".rstrip("0").rstrip(".") if cost >= 0.0001 else "$0.0001"


def format_count(count: int, thing: str) -> str:
    """1 turn, 3 turns"""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


# Times.


def format_milliseconds(milliseconds: float) -> str:
    """9ms, 940ms, 12.4s, 125s"""
    if milliseconds < 999.5:
        return f"{milliseconds:.0f}ms"
    seconds = milliseconds / 1000
    return f"{seconds:.1f}s" if seconds < 99.95 else f"{seconds:.0f}s"


def format_span(seconds: float) -> str:
    """5 minutes, 3 hours, 2 days; for two minutes and more."""
    unit, word = next((unit, word) for unit, word in _SPANS if seconds >= 2 * unit or unit == 60)
    return f"{seconds / unit:.0f} {word}"


def is_moment(seconds: float) -> bool:
    return 0 < seconds < FAR


def format_moment(moment: float, now: float) -> str:
    """at 14:05 (today), on Tue 24 Nov at 14:05; for the end of a sentence."""
    then = time.localtime(moment)
    day = "" if then[:3] == time.localtime(now)[:3] else time.strftime("on %a %d %b ", then)
    return day + time.strftime("at %H:%M", then)


def format_short_moment(moment: float, now: float, *, seconds: bool = False) -> str:
    """14:05 or 14:05:09 (today), Tue 14:05 (within six days), 24 Nov; for a narrow column."""
    then = time.localtime(moment)
    if then[:3] == time.localtime(now)[:3]:
        return time.strftime("%H:%M:%S" if seconds else "%H:%M", then)
    return time.strftime("%a %H:%M" if abs(moment - now) < WEEKDAY_TELLS else "%d %b", then)
