"""The one Rich console, on stderr; nothing else prints. stdout is Claude's, or holds a command's result (`result`).

Rich is loaded with the first word said, so that a silent start does not pay for it. It leaves colour out by itself
where stderr is no terminal, or NO_COLOR is set.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


@cache
def console() -> Console:
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def say(message: str) -> None:
    """One line of ours beside Claude's output."""
    console().print(f"[dim]claudegpt:[/dim] {_plain(message)}")


def complain(message: str) -> None:
    """One line saying what went wrong and what to do."""
    console().print(f"[bold red]claudegpt:[/bold red] {_plain(message)}")


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
        table.add_row(*map(_plain, row))
    Console(highlight=False).print(table)


def _plain(message: str) -> str:
    """Text that says nothing to Rich, on one line."""
    from rich.markup import escape

    return escape(" ".join(message.split()))
