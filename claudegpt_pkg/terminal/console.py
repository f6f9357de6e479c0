"""The one Rich console, on stderr; nothing else prints. stdout is Claude's, or holds a command's result (`result`).

Rich is loaded with the first word said, so that a silent start does not pay for it. It leaves colour out by itself
where stderr is no terminal, or NO_COLOR is set.
"""

from __future__ import annotations

import json
import math
import os
import re
import sys
import time
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
    """How right, wrong, a filled and an empty part of a bar are written."""

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
    """One line of ours beside Claude's output."""
    _print_line(f"[dim]claudegpt:[/dim] {plain(from_home(message), sys.stderr)}")


def complain(message: str) -> None:
    """One line saying what went wrong and what to do. It may quote what no error of ours went through: a bug."""
    _print_line(f"[bold red]claudegpt:[/bold red] {plain(from_home(mask_secrets(message)), sys.stderr)}")


def _print_line(markup: str) -> None:
    """Folded between words on a terminal; one line anywhere else."""
    if _log is not None:
        from rich.text import Text

        _append_to_log(Text.from_markup(markup).plain)
    console().print(markup, soft_wrap=not console().is_terminal)


def tell(text: str) -> None:
    """Lines of ours to somebody who is being asked or shown something. On a terminal they are folded between words;
    one word that is a line by itself, an address to be copied, stays whole."""
    for line in visible(from_home(text), sys.stderr).split("\n"):
        console().print(line, markup=False, soft_wrap=" " not in line or not console().is_terminal)


def marks(stream: TextIO) -> Marks:
    """The signs that the encoding of `stream` can hold."""
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
    """A result of several columns: fitted to the width on a terminal, tab-separated and whole anywhere else.

    `numbers` are columns that end in line; `spare`, those that are left out, in this order, where there is no room.
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
    """Which columns to show, and how far apart: those with something in them. Where nothing is spare, they are folded
    instead."""
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
    """A result of marked-up rows, their last column folded to the width on a terminal; tab-separated anywhere else.

    Cells are Rich markup: what comes from elsewhere goes through `plain`.
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
    """Names, each with a text that may have several lines; an empty pair is an empty line. A text is folded to the
    width on a terminal, and indented anywhere else."""
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
    """The user's home in it written ~, as in the shell; in quotes it stays, as a shell would not know it there."""
    home = os.path.expanduser("~")  # noqa: PTH111  Path's raises for a user without one
    return re.sub(rf"(?<![\w/'\"-]){re.escape(home)}/", "~/", text) if home != "/" else text


def plain(message: str, stream: TextIO | None = None) -> str:
    """Text that says nothing to Rich, nor to the terminal, on one line."""
    from rich.markup import escape

    return escape(" ".join(visible(message, stream).split()))


def visible(text: str, stream: TextIO | None = None) -> str:
    """Somebody else's text without anything that could steer the terminal, in signs that `stream` can show: a result's,
    stdout, if none is named."""
    return _encodable(UNSEEN.sub("\ufffd", text), stream or sys.stdout)


def _encodable(text: str, stream: TextIO) -> str:
    """With \\x… or \\u… for what the encoding of `stream` lacks: a file's, a program's, an old terminal's."""
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
