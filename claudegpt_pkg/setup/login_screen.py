"""What a person sees while logging in to ChatGPT: the code in bold, its page as a QR code, the time left.

A QR code needs a terminal with colours and room; without them the address is shown alone. A terminal on which the user
may paste an address gets no moving sign, which would write over what is pasted.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from ..accounts.auth.login import login
from ..accounts.auth.tokens import Tokens
from ..settings.settings import Settings
from ..terminal.console import console, plain, tell

QUIET_ZONE = 2  # light modules around the code
LINES_BESIDE = 14  # of text, which must stay visible
HALVES = {(True, True): "█", (True, False): "▀", (False, True): "▄", (False, False): " "}  # (upper, lower) is dark
QR_STYLE = "black on bright_white"


def log_in(settings: Settings, *, with_device: bool, browser: bool) -> Tokens:
    """Log in to ChatGPT and save the login. Raises like accounts.auth.login."""
    typed = sys.stdin if sys.stdin.isatty() else None
    return login(
        settings,
        tell,
        with_device=with_device,
        browser=browser,
        typed=typed,
        show_code=show_code,
        waiting=count_down,
    )


def show_code(page: str, code: str) -> None:
    tell(f"Open this page in any browser, on any device:\n\n{page}\n")
    for line in qr_lines(page):
        console().print(line, style=QR_STYLE, markup=False, highlight=False)
    tell("and enter this code there:\n")
    console().print(plain(code, sys.stderr), style="bold", highlight=False)
    tell("")


def qr_lines(text: str) -> Sequence[str]:
    """The QR code of `text`, two rows of modules a line; empty if the terminal cannot show it."""
    if not console().is_terminal or console().color_system is None or console().no_color:
        return ()
    if "utf" not in (sys.stderr.encoding or "").lower():
        return ()
    try:
        import segno
    except ImportError:  # an installation from before this was a dependency
        return ()
    rows = [[bool(module) for module in row] for row in segno.make(text, micro=False, error="l").matrix]
    lines = list(draw_modules(rows))
    size = shutil.get_terminal_size()
    return lines if len(lines) + LINES_BESIDE <= size.lines and len(lines[0]) <= size.columns else ()


def draw_modules(rows: Sequence[Sequence[bool]]) -> Iterator[str]:
    """Lines of half blocks, with a quiet zone around them."""
    width = len(rows[0]) + 2 * QUIET_ZONE
    blank = [[False] * width] * QUIET_ZONE
    side = [False] * QUIET_ZONE
    padded = [*blank, *([*side, *row, *side] for row in rows), *blank]
    if len(padded) % 2:
        padded.append([False] * width)
    for upper, lower in zip(padded[::2], padded[1::2], strict=True):
        yield "".join(HALVES[pair] for pair in zip(upper, lower, strict=True))


@dataclass(frozen=True)
class _TimeLeft:
    """A text that tells the time left, each time it is drawn."""

    deadline: float  # on the monotonic clock

    def __rich__(self) -> str:
        seconds = max(0, round(self.deadline - time.monotonic()))
        return f"Waiting for you to log in ({seconds // 60}:{seconds % 60:02} left, Ctrl-C ends it)"


def count_down(seconds: float) -> AbstractContextManager[object]:
    """A sign of life with the time left, on a terminal."""
    if not console().is_terminal:
        return nullcontext()
    return console().status(_TimeLeft(time.monotonic() + seconds))
