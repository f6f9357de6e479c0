"""The one Rich console, on stderr; nothing else prints. stdout is Claude's, or holds a command's result (`result`).

Rich is loaded with the first word said, so that a silent start does not pay for it. It leaves colour out by itself
where stderr is no terminal, or NO_COLOR is set.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from .secret import without_secrets

if TYPE_CHECKING:
    from rich.console import Console


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


def say(message: str) -> None:
    """One line of ours beside Claude's output."""
    _print_line(f"[dim]claudegpt:[/dim] {plain(message)}")


def complain(message: str) -> None:
    """One line saying what went wrong and what to do. It may quote what no error of ours went through: a bug."""
    _print_line(f"[bold red]claudegpt:[/bold red] {plain(without_secrets(message))}")


def _print_line(markup: str) -> None:
    """Folded between words on a terminal; one line anywhere else."""
    console().print(markup, soft_wrap=not console().is_terminal)


def tell(text: str) -> None:
    """Lines of ours to somebody who is being asked or shown something; as they are."""
    console().print(text, markup=False)


def marks(stream: TextIO) -> Marks:
    """The signs that the encoding of `stream` can hold."""
    return SIGNS if "utf" in (stream.encoding or "").lower() else LETTERS


def result(line: str) -> None:
    """A line of a command's result, on stdout."""
    print(line, flush=True)  # noqa: T201


def result_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A result of several columns: fitted to the width on a terminal, tab-separated and whole anywhere else."""
    if not sys.stdout.isatty():
        for row in rows:
            result("\t".join(row))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for index, column in enumerate(columns):
        table.add_column(column, overflow="fold", no_wrap=index == 0)
    for row in rows:
        table.add_row(*map(plain, row))
    Console(highlight=False).print(table)


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


def from_home(text: str) -> str:
    """The user's home in it written ~, as in the shell."""
    return text.replace(f"{Path.home()}/", "~/")


def plain(message: str) -> str:
    """Text that says nothing to Rich, on one line."""
    from rich.markup import escape

    return escape(" ".join(message.split()))
