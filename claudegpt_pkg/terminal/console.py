"""All output of claudegpt: messages on stderr, results of commands on stdout. No other module prints.

    say("…")  complain("…")  tell("…")           # messages, on stderr: stdout belongs to Claude Code
    result(line)  result_table(…)  result_json(…)   # the result of a command, on stdout

Nothing that is printed can steer a terminal, whether it is one or a pipe. Rich is imported when the first message is
printed, so that a silent start does not pay for it. It leaves colours out by itself if stderr is not a terminal or
NO_COLOR is set.
"""

from __future__ import annotations

import json
import math
import os
import re
import sys
import threading
import time
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from ..errors import ClaudegptError
from ..files import make_private_folder
from ..formats import UNSEEN, to_one_line
from ..secret import mask_secrets

if TYPE_CHECKING:
    from rich.console import Console

LOG_BYTES = 1 << 20


@dataclass(frozen=True)
class Marks:
    """The signs for right and wrong, for the filled and the empty part of a bar, and between parts of a line."""

    right: str
    wrong: str
    full: str
    empty: str
    dot: str


SIGNS = Marks("✓", "✗", "█", "░", "·")
LETTERS = Marks("ok", "x", "#", "-", "-")


@cache
def console() -> Console:
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


_log: Path | None = None


def keep_log(file: Path) -> None:
    """From now on, append what is said to this file too, if stderr is no terminal: an editor may not show it."""
    global _log
    if sys.stderr.isatty():
        return
    try:
        make_private_folder(file.parent)
        if file.exists() and file.stat().st_size > LOG_BYTES:
            file.unlink()
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
    except (OSError, ClaudegptError):
        return
    _log = file


def _append_to_log(text: str) -> None:
    if _log is not None:
        with suppress(OSError), _log.open("a", encoding="utf-8") as file:
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n")


def say(message: str) -> None:
    """Print a message of one line, marked as claudegpt's because it stands beside Claude Code's output."""
    _print_line(f"[dim]claudegpt:[/dim] {plain(from_home(message), sys.stderr)}")


def say_soon(message: str) -> None:
    """`say` from an event loop: a thread prints it, because a terminal or a pipe that nobody reads would block. What
    cannot be printed in time is dropped."""
    _waiting.append(message)
    _start_printing_once()
    _wake.set()


_waiting: deque[str] = deque(maxlen=1000)
_wake = threading.Event()


@cache
def _start_printing_once() -> None:
    threading.Thread(target=_print_waiting, name="claudegpt-log", daemon=True).start()


def _print_waiting() -> None:
    while _wake.wait():
        _wake.clear()
        while _waiting:
            say(_waiting.popleft())


def complain(message: str) -> None:
    """Print an error of one line. Secrets are masked here too, because the message of a bug is no ClaudegptError."""
    _print_line(f"[bold red]claudegpt:[/bold red] {plain(from_home(mask_secrets(message)), sys.stderr)}")


def _print_line(markup: str) -> None:
    """Fold the line between words on a terminal; print one line anywhere else."""
    if _log is not None:
        from rich.text import Text

        _append_to_log(Text.from_markup(markup).plain)
    console().print(markup, soft_wrap=not console().is_terminal)


def tell(text: str) -> None:
    """Print lines of a conversation, without a mark. On a terminal they are folded between words; a line of one word,
    such as an address to be copied, stays whole."""
    for line in visible(from_home(text), sys.stderr).split("\n"):
        console().print(line, markup=False, soft_wrap=" " not in line or not console().is_terminal)


def marks(stream: TextIO) -> Marks:
    """The signs, or letters if the encoding of `stream` has no such signs."""
    return SIGNS if "utf" in (stream.encoding or "").lower() else LETTERS


def result(line: str) -> None:
    """Print one line of a command's result on stdout. Nothing in it can steer a terminal, piped or not."""
    print(visible(line.replace("\n", " "), sys.stdout), flush=True)  # noqa: T201


def result_json(value: Any) -> None:
    """Print a result for a program: valid JSON, in which nothing can steer the terminal that it may be shown on.

    Raises ClaudegptError for a value that is nested too deeply to be written.
    """
    try:
        text = json.dumps(_without_infinities(value), ensure_ascii=marks(sys.stdout) is not SIGNS, indent=2)
    except RecursionError:
        raise ClaudegptError("The result is nested too deeply to be shown as JSON.") from None
    text = UNSEEN.sub(lambda sign: json.dumps(sign[0])[1:-1], text)
    print(_encodable(text, sys.stdout), flush=True)  # noqa: T201


def _without_infinities(value: Any) -> Any:
    """`value` with null for each number that JSON does not have: infinities and NaN."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _without_infinities(each) for name, each in value.items()}
    return [_without_infinities(each) for each in value] if isinstance(value, list | tuple) else value


def result_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Collection[str] = (), spare: Sequence[str] = ()
) -> None:
    """Print a table: fitted to the width on a terminal, with tabs and nothing shortened anywhere else.

    `numbers` names the columns that are aligned right; `spare` those that are left out, in this order, if there is no
    room.
    """
    if not sys.stdout.isatty():
        for row in rows:
            result("\t".join(to_one_line(cell) for cell in row))
        return
    from rich.console import Console
    from rich.table import Table

    console, rows = Console(highlight=False), list(rows)
    shown, gap = fitting(columns, rows, spare, console.width)
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, gap, 0, 0))
    for index in shown:
        right = columns[index] in numbers
        table.add_column(
            columns[index], overflow="fold", no_wrap=right or not index, justify="right" if right else "left"
        )
    for row in rows:
        table.add_row(*(plain(row[index]) for index in shown))
    console.print(table)


def fitting(
    columns: Sequence[str], rows: Sequence[Sequence[str]], spare: Sequence[str], room: int
) -> tuple[list[int], int]:
    """Which columns to show, by their index, and the gap between them. Empty columns are not shown. Without spare
    columns, a table that is too wide is folded instead."""
    from rich.cells import cell_len

    widths = [max(map(cell_len, column)) for column in zip(columns, *rows, strict=True)]
    full = [index for index in range(len(columns)) if not rows or any(row[index] for row in rows)]
    for left_out in range(len(spare) + 1):
        shown = [index for index in full if columns[index] not in spare[:left_out]]
        for gap in (2, 1) if spare else (2,):
            if sum(widths[index] + gap for index in shown) - gap <= room:
                return shown, gap
    return shown, gap


def result_rows(rows: Iterable[Sequence[str]]) -> None:
    """Print rows of Rich markup: the last column folded to the width on a terminal; with tabs anywhere else.

    Foreign text must go through `plain` before it becomes part of a cell.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if not sys.stdout.isatty():
        for row in rows:
            result("\t".join(" ".join(Text.from_markup(cell).plain.split()) for cell in row).rstrip())
        return
    table = Table.grid(padding=(0, 2))
    for number, row in enumerate(rows):
        if not number:
            for index in range(len(row)):
                table.add_column(overflow="fold", no_wrap=index < len(row) - 1)
        table.add_row(*row)
    Console(highlight=False).print(table)


def result_entries(entries: Iterable[tuple[str, str]]) -> None:
    """Print names, each with a text of one or more lines, which is folded to the width on a terminal and indented
    anywhere else. A pair of empty strings is an empty line."""
    entries = [(visible(name), visible(text)) for name, text in entries]
    width = 2 + max((len(name) for name, _ in entries), default=0)
    if not sys.stdout.isatty():
        for name, text in entries:
            first, *rest = text.split("\n")
            result(f"{name:{width}}{first}".rstrip())
            for line in rest:
                result(f"{'':{width}}{line}".rstrip())
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in entries:
        table.add_row(Text(name), Text(text))
    Console(highlight=False).print(table)


def from_home(text: str) -> str:
    """`text` with ~ for the user's home. In quotes the path stays, because a shell does not expand ~ there."""
    home = os.path.expanduser("~")  # noqa: PTH111  Path.home raises if the user has none
    return re.sub(rf"(?<![\w/'\"-]){re.escape(home)}/", "~/", text) if home != "/" else text


def plain(message: str, stream: TextIO | None = None) -> str:
    """Foreign text on one line, as Rich markup: nothing in it steers Rich or the terminal."""
    from rich.markup import escape

    return escape(" ".join(visible(message, stream).split()))


def visible(text: str, stream: TextIO | None = None) -> str:
    """Foreign text in which U+FFFD stands for whatever could steer the terminal, in characters that the encoding of
    `stream` has (stdout's by default)."""
    return _encodable(UNSEEN.sub("\ufffd", text), stream or sys.stdout)


def _encodable(text: str, stream: TextIO) -> str:
    """`text` with \\x… or \\u… for characters that the encoding of `stream` lacks."""
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
