"""A group of Typer commands whose help page shows each command's summary whole. Click cuts it to one line."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup


class WholeHelp(TyperGroup):
    def format_commands(self, ctx: Any, formatter: Any) -> None:
        rows = []
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            if command and not command.hidden:
                rows.append((name, (command.help or "").partition("\n\n")[0]))
        with formatter.section("Commands"):
            formatter.write_dl(rows)
